"""One driver for one sweep: who holds a sweep's folder."""

import fcntl
import os
import re
import socket
from pathlib import Path
from typing import IO

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.folder import SweepFolder


def lock_folder(folder: Path) -> IO[str]:
    """Lock a sweep's folder for this process, until the returned file is closed.

    Raises:
        InputError: another driver holds the lock, or the folder cannot be written.
    """
    path = SweepFolder(folder).lock
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise input_error(f"cannot write here: {reason}", where=str(folder)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise input_error(
            f"this sweep is being run by {holder}",
            where=str(folder),
            hint="wait for it, or stop it first",
        ) from error
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def running_driver(folder: Path) -> str | None:
    """Return which process runs a sweep, as its lock names it; None where none does."""
    try:
        with SweepFolder(folder).lock.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "another process"
    except OSError:
        return None
    return None


def local_process(driver: str) -> int | None:
    """Return the id of a driver's process, None where it is not one of this machine.

    Args:
        driver: what `running_driver` returned.
    """
    found = re.fullmatch(r"process (\d+) on (.+)", driver)
    if found is None or found[2] != socket.gethostname():
        return None
    return int(found[1])
