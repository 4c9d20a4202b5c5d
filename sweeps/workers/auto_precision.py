"""What `precision: auto` means in a sweep: measured once, before any trial has its identity."""

import logging
from collections.abc import Callable, Mapping

from picosweep.pico.training_config import PrecisionName
from picosweep.sweeps.data import SweepData
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.search.feasibility import typical
from picosweep.sweeps.search.setup import ReadySweep
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.store.folder import read_json
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.workers.cluster import Cluster

log = logging.getLogger("picosweep")


def settle_precision(
    sweep: ReadySweep,
    store: Store,
    cluster: Cluster,
    data: SweepData,
    initial: Mapping[str, bytes],
    say: Callable[[str], None],
) -> dict[str, PrecisionName]:
    """Find out which number format `auto` stands for, by architecture.

    It is measured in a slot of the cluster on the configuration in the middle by cost, and kept in
    the sweep's folder: a trial's identity holds it, so a resumed sweep must not measure again.

    Args:
        sweep: the sweep, with `auto` left as it is.
        store: store of the sweep, in whose folder the formats are kept.
        cluster: where to measure; it is started only if something has to be measured.
        data: the prepared data that trials train on.
        initial: the checkpoints whose weights trials start from, by architecture.
        say: called with a text before each measurement.
    """
    known: dict[str, PrecisionName] = read_json(store.files.precision) or {}
    for name, space in sweep.spaces.items():
        if name in known or not _offers_auto(space):
            continue
        candidates = [
            candidate
            for candidate in sweep.feasibility[name].candidates
            if candidate.trial.training.precision == "auto"
        ]
        if candidates:
            say(f"measuring number formats for {name}")
            known[name] = _measure(
                typical(candidates), cluster, data, sweep.code_hashes(), initial.get(name)
            )
            log.info("precision auto means %s for %s", known[name], name)
            write_json(store.files.precision, known)
    return known


def _offers_auto(space: Space) -> bool:
    parameter = space.find("precision")
    return parameter is not None and "auto" in (parameter.values() or ())


def _measure(
    candidate: Candidate,
    cluster: Cluster,
    data: SweepData,
    hashes: Mapping[str, str],
    initial: bytes | None,
) -> PrecisionName:
    cluster.start()
    prepared = data.by_fingerprint[candidate.fingerprints["data_fingerprint"]]
    return cluster.measure_precision(candidate, prepared, hashes, initial)
