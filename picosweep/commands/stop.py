"""Stop a running sweep, or one of its trials, from any terminal: `picosweep stop`."""

import os
import signal
import time
from pathlib import Path
from typing import Final

import psutil

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.lock import local_process, running_driver
from picosweep.sweeps.store.mailbox import WHOLE_SWEEP, ask_for
from picosweep.sweeps.store.mirror import open_results
from picosweep.sweeps.store.reader import read_journal

PATIENCE_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.2


def stop(sweep: str, *, trial: str | None = None, results: str | Path = "results") -> str:
    """Stop a running sweep, its tables sealed and its report written, or one of its trials.

    Args:
        sweep: name of the sweep, or its folder.
        trial: id of a trial, or a beginning of it; None: the whole sweep.
        results: folder or address in which the sweeps are.

    Returns:
        what has happened, in a sentence.

    Raises:
        InputError: there is no such sweep or trial, or it is not running.
    """
    folder = find_sweep(sweep, open_results(results))
    driver = running_driver(folder)
    if driver is None:
        raise input_error("this sweep is not running", where=str(folder))
    if trial is not None:
        return _stop_trial(folder, trial)
    process = local_process(driver)
    if process is not None and _holds_lock(process, folder):
        os.kill(process, signal.SIGTERM)
    else:
        ask_for(folder, WHOLE_SWEEP)
    end = time.monotonic() + PATIENCE_SECONDS
    while running_driver(folder) == driver and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    if running_driver(folder) == driver:
        return f"{driver} was asked to stop {folder.name} and is still at it"
    return f"{folder.name} has stopped; the command that started it goes on with it"


def _stop_trial(folder: Path, trial: str) -> str:
    rows = [row for row in read_journal(folder)["trials"] if row["trial_id"].startswith(trial)]
    if len(rows) != 1:
        raise input_error(
            "several trials begin like this" if rows else "no such trial in this sweep",
            where=str(folder),
            found=trial,
            allowed=", ".join(row["trial_id"] for row in rows[:5]),
        )
    (row,) = rows
    if row["status"] != "running":
        raise input_error("this trial has already ended", key=row["trial_id"], found=row["status"])
    ask_for(folder, row["trial_id"])
    return f"trial {row['trial_id']} ends at its next report"


def _holds_lock(process: int, folder: Path) -> bool:
    """Return whether a process of this machine is the driver, not another with its number."""
    lock = SweepFolder(folder).lock.resolve()
    try:
        opened = psutil.Process(process).open_files()
    except psutil.Error:
        return False
    return any(Path(file.path) == lock for file in opened)
