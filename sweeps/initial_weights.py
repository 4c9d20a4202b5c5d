"""The weights that a sweep's trials start from, where its spec names trials in `init_from`."""

from collections.abc import Mapping
from pathlib import Path

from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.checkpoint import CheckpointError
from picosweep.pico.weights.restore import weights_fingerprint
from picosweep.pico.weights.starting import StartingWeights
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_trial


def initial_checkpoints(spec: Spec, document: Document, results: Path) -> dict[str, bytes]:
    """Read the checkpoints that trials start from, by architecture; none: from random weights.

    Raises:
        InputError: a trial that the spec names is not there, or has no checkpoint.
    """
    named = spec.init_from
    if named is None:
        return {}
    if isinstance(named, str):
        return dict.fromkeys(
            spec.architectures, _checkpoint(named, ("init_from",), document, results)
        )
    return {
        name: _checkpoint(trial_id, ("init_from", name), document, results)
        for name, trial_id in named.items()
    }


def _checkpoint(trial_id: str, key: KeyPath, document: Document, results: Path) -> bytes:
    folder, row = find_trial(trial_id, results)
    found = read_checkpoint(folder, row["trial_id"])
    if found is None:
        raise input_error(
            "this trial has no checkpoint to start from",
            where=document.where(key),
            key=dotted(key),
            found=trial_id,
        )
    return found.content


def starting_weights(
    initial: Mapping[str, bytes], document: Document
) -> dict[str, StartingWeights]:
    """Return what is known of the weights that trials start from, by architecture.

    Raises:
        InputError: a checkpoint cannot be read here.
    """
    try:
        known = {content: StartingWeights.of(content) for content in set(initial.values())}
    except (CheckpointError, ValueError) as error:
        key: KeyPath = ("init_from",)
        raise input_error(
            f"the weights to start from cannot be used: {error}",
            where=document.where(key),
            key=dotted(key),
        ) from error
    return {name: known[content] for name, content in initial.items()}


def initial_checkpoint_of(
    trial: TrialConfig, architecture: str, spec: Spec, document: Document, results: Path
) -> bytes | None:
    """Read the checkpoint that one stored trial started from; None where it needed none.

    Args:
        trial: the trial's configuration, which names the weights by their hash.
        architecture: the trial's architecture by its name in the spec.
        spec: spec of the trial's sweep, which names the trial that the weights came from.
        document: where the spec stands, for messages.
        results: the results folder.

    Raises:
        InputError: the checkpoint is gone, or its weights have been trained further since.
    """
    if trial.init_from is None:
        return None
    found = initial_checkpoints(spec, document, results).get(architecture)
    fingerprint = None if found is None else weights_fingerprint(found)
    if fingerprint != trial.init_from:
        raise input_error(
            "the weights that this trial started from are no longer there",
            where=str(document.path),
            key="init_from",
            found=f"weights {fingerprint} of trial {spec.init_from}",
            allowed=f"weights {trial.init_from}",
            hint="was that trial trained further since?",
        )
    return found
