"""The weights that a sweep's trials start from, where its spec names a trial in `init_from`."""

from pathlib import Path

from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.restore import weights_fingerprint
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_trial


def initial_checkpoint(spec: Spec, document: Document, results: Path) -> bytes | None:
    """Read the checkpoint that every trial starts from; None: from random weights.

    Raises:
        InputError: the spec's trial is not there, or has no checkpoint.
    """
    if spec.init_from is None:
        return None
    folder, row = find_trial(spec.init_from, results)
    found = read_checkpoint(folder, row["trial_id"])
    if found is None:
        raise input_error(
            "this trial has no checkpoint to start from",
            where=document.where(("init_from",)),
            key="init_from",
            found=spec.init_from,
        )
    return found.content


def initial_checkpoint_of(
    trial: TrialConfig, spec: Spec, document: Document, results: Path
) -> bytes | None:
    """Read the checkpoint that one stored trial started from; None where it needed none.

    Args:
        trial: the trial's configuration, which names the weights by their hash.
        spec: spec of the trial's sweep, which names the trial that the weights came from.
        document: where the spec stands, for messages.
        results: the results folder.

    Raises:
        InputError: the checkpoint is gone, or its weights have been trained further since.
    """
    if trial.init_from is None:
        return None
    found = initial_checkpoint(spec, document, results)
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
