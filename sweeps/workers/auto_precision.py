"""What `precision: auto` means in a sweep: measured once, before any trial has its identity."""

import logging
from collections.abc import Callable, Mapping, Sequence

from picosweep.sweeps.data import SweepData
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.search.number_formats import Measured, NumberFormats, next_to_measure
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
) -> dict[str, NumberFormats]:
    """Find out which number formats `auto` stands for, by architecture.

    They are measured in a slot of the cluster on a few configurations of each, and kept in the
    sweep's folder: a trial's identity holds its format, so a resumed sweep must not measure again.

    Args:
        sweep: the sweep, with `auto` left as it is.
        store: store of the sweep, in whose folder the formats are kept.
        cluster: where to measure; it is started only if something has to be measured.
        data: the prepared data that trials train on.
        initial: the checkpoints whose weights trials start from, by architecture.
        say: called with a text before each measurement.

    Raises:
        InputError: what the folder holds of an earlier run cannot be read.
    """
    known = _stored(store)
    for name, space in sweep.spaces.items():
        if name in known or not _offers_auto(space):
            continue
        candidates = [
            candidate
            for candidate in sweep.feasibility[name].candidates
            if candidate.trial.training.precision == "auto"
        ]
        if candidates:

            def seconds_of(candidate: Candidate, name: str = name) -> Measured:
                cluster.start()
                prepared = data.by_fingerprint[candidate.fingerprints["data_fingerprint"]]
                seconds = cluster.measure_formats(
                    candidate, prepared, sweep.code_hashes(), initial.get(name)
                )
                return Measured(place=candidate.place, seconds=seconds)

            known[name] = _measure(name, candidates, seconds_of, say)
            write_json(store.files.precision, {n: found.to_json() for n, found in known.items()})
    return known


def _stored(store: Store) -> dict[str, NumberFormats]:
    path = store.files.precision
    try:
        content = read_json(path) or {}
        return {name: NumberFormats.from_json(found) for name, found in content.items()}
    except (ValueError, AttributeError) as error:
        raise input_error(
            f"the measured number formats of this sweep cannot be read: {error}",
            where=str(path),
            hint="remove the file: they are measured again; a trial of another format is a new one",
        ) from error


def _offers_auto(space: Space) -> bool:
    parameter = space.find("precision")
    return parameter is not None and "auto" in (parameter.values() or ())


def _measure(
    name: str,
    candidates: Sequence[Candidate],
    seconds_of: Callable[[Candidate], Measured],
    say: Callable[[str], None],
) -> NumberFormats:
    places = [candidate.place for candidate in candidates]
    measured: list[Measured] = []
    while (number := next_to_measure(places, measured)) is not None:
        say(f"measuring number formats for {name}, configuration {len(measured) + 1}")
        measured.append(seconds_of(candidates[number]))
        last = measured[-1]
        log.info(
            "precision auto means %s for %s of %d parameters, %d tokens a pass (%s)",
            last.taken, name, last.place.num_params, last.place.tokens,
            ", ".join(f"{form} {seconds * 1e3:.3g} ms" for form, seconds in last.seconds.items()),
        )  # fmt: skip
    return NumberFormats(measured=tuple(measured))
