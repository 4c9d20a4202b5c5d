"""Where a sweep keeps its trials' checkpoints: `checkpoints/<trial_id>/<step>-<crc>.safetensors`.

A checkpoint is written before the report that belongs to it, and the one before it is deleted after
that report is in the journal, on disk. So whenever the driver dies, or the machine, there is one
that is not ahead of the journal: going on from one that is would leave a report out.

The name holds the content's CRC-32: a flipped bit in a weight would otherwise go unnoticed, and
change every number after it.
"""

import logging
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder

log = logging.getLogger("picosweep")


@dataclass(frozen=True, kw_only=True)
class StoredCheckpoint:
    """A checkpoint that was read back whole."""

    path: Path
    step: int
    content: bytes


def save_checkpoint(folder: Path, trial_id: str, step: int, content: bytes) -> None:
    """Write a trial's checkpoint and keep those of earlier steps.

    One at the same step or a later one is deleted: it is of a report that a killed driver had no
    time to store. It holds another reading of the clock, and with a budget in seconds training does
    not pass through its step again, so nothing else would delete it.
    """
    name = f"{step}-{zlib.crc32(content):08x}.safetensors"
    replace_file(_folder(folder, trial_id) / name, content)
    for found, path in _found(folder, trial_id):
        if found >= step and path.name != name:
            path.unlink(missing_ok=True)


def read_checkpoint(
    folder: Path, trial_id: str, up_to: int | None = None
) -> StoredCheckpoint | None:
    """Return a trial's newest checkpoint that is not damaged, None where it has none.

    Args:
        folder: the sweep's folder.
        trial_id: id of the trial.
        up_to: step of the trial's last known report; a later checkpoint does not count. None: all
            do.
    """
    for step, path in sorted(_found(folder, trial_id), reverse=True):
        if up_to is not None and step > up_to:
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if _checksum(path) in (None, zlib.crc32(content)):
            return StoredCheckpoint(path=path, step=step, content=content)
        log.warning("trial %s: its checkpoint at step %d is damaged", trial_id, step)
    return None


def with_several_checkpoints(folder: Path) -> Iterator[str]:
    """Yield the ids of trials that have more than one checkpoint."""
    try:
        with os.scandir(SweepFolder(folder).checkpoints()) as entries:
            trials = [entry for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return
    for trial in trials:
        # Counting is cheap: a large sweep has ten thousands of folders, nearly all with one file.
        if _num_entries(trial) > 1 and len(_found(folder, trial.name)) > 1:
            yield trial.name


def _num_entries(folder: "os.DirEntry[str]") -> int:
    with os.scandir(folder) as entries:
        return sum(1 for _ in entries)


def drop_others(folder: Path, trial_id: str, step: int, *, later: bool) -> None:
    """Delete a trial's checkpoints before `step`, once the report at `step` is on disk.

    Args:
        folder: the sweep's folder.
        trial_id: id of the trial.
        step: step of the checkpoint to keep.
        later: whether later ones are deleted too; damage to the journal can leave them behind.
    """
    for found, path in _found(folder, trial_id):
        if found < step or (later and found > step):
            path.unlink(missing_ok=True)


def _found(folder: Path, trial_id: str) -> list[tuple[int, Path]]:
    paths = _folder(folder, trial_id).glob("[0-9]*.safetensors")
    return [(int(path.stem.partition("-")[0]), path) for path in paths]


def _checksum(path: Path) -> int | None:
    """Return the checksum in a checkpoint's name; None where an older version wrote it."""
    _, _, checksum = path.stem.partition("-")
    return int(checksum, 16) if checksum else None


def _folder(folder: Path, trial_id: str) -> Path:
    return SweepFolder(folder).checkpoints(trial_id)
