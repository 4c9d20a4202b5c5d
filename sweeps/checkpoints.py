"""Where a sweep keeps its trials' checkpoints: `checkpoints/<trial_id>/<step>.safetensors`.

A checkpoint is written before the report that belongs to it, and the one before it is deleted after
that report is in the journal. So whenever the driver dies, there is one that is not ahead of the
journal: going on from one that is would leave a report out.
"""

from pathlib import Path

from sweeps.files import replace_file


def save_checkpoint(folder: Path, trial_id: str, step: int, content: bytes) -> None:
    """Write a trial's checkpoint, beside those it has."""
    replace_file(_folder(folder, trial_id) / f"{step}.safetensors", content)


def newest_checkpoint(folder: Path, trial_id: str, up_to: int | None = None) -> Path | None:
    """A trial's newest checkpoint, None where it has none.

    Args:
        folder: the sweep's folder.
        trial_id: whose.
        up_to: the step of the trial's last known report; a later checkpoint does not count.
    """
    steps = [int(path.stem) for path in _folder(folder, trial_id).glob("[0-9]*.safetensors")]
    newest = max((step for step in steps if up_to is None or step <= up_to), default=None)
    return None if newest is None else _folder(folder, trial_id) / f"{newest}.safetensors"


def keep_only(folder: Path, trial_id: str, step: int) -> None:
    """Delete a trial's other checkpoints, once the report at `step` is safe."""
    for path in _folder(folder, trial_id).glob("[0-9]*.safetensors"):
        if int(path.stem) != step:
            path.unlink(missing_ok=True)


def _folder(folder: Path, trial_id: str) -> Path:
    return folder / "checkpoints" / trial_id
