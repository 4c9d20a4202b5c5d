"""One driver for one sweep: who holds a sweep's folder.

Some network file systems have no locks. There a file of this user's cache, named after the folder,
is locked in place of the folder's own: it keeps apart the drivers of one machine.
"""

import errno
import fcntl
import hashlib
import logging
import os
import re
import socket
from pathlib import Path
from typing import IO, Final

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.folder import SweepFolder, cache_folder

HELD: Final = frozenset({errno.EAGAIN, errno.EACCES})
"""Errors of a lock that another process holds; all others mean that there are none here."""

log = logging.getLogger("picosweep")


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
    locked = file
    found = _try_lock(file, fcntl.LOCK_EX)
    if found is None:
        log.warning(
            "%s: the file system has no locks; only drivers of this machine are kept apart", folder
        )
        stand_in = _stand_in(folder)
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        locked = stand_in.open("a", encoding="utf-8")
        found = _try_lock(locked, fcntl.LOCK_EX)
    if found is False:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        locked.close()
        raise input_error(
            f"this sweep is being run by {holder}",
            where=str(folder),
            hint="wait for it, or stop it first",
        )
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    if locked is not file:
        file.close()
    return locked


def running_driver(folder: Path) -> str | None:
    """Return which process runs a sweep, as its lock names it; None where none does."""
    try:
        with SweepFolder(folder).lock.open(encoding="utf-8") as file:
            found = _try_lock(file, fcntl.LOCK_SH)
            if found is None:
                with _stand_in(folder).open(encoding="utf-8") as locked:
                    found = _try_lock(locked, fcntl.LOCK_SH)
            return None if found is not False else file.read().strip() or "another process"
    except OSError:
        return None


def _try_lock(file: IO[str], how: int) -> bool | None:
    """Return whether a lock could be had; None where the file system has none."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in HELD else None
    return True


def _stand_in(folder: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    return cache_folder() / "locks" / name


def local_process(driver: str) -> int | None:
    """Return the id of a driver's process, None where it is not one of this machine.

    Args:
        driver: what `running_driver` returned.
    """
    found = re.fullmatch(r"process (\d+) on (.+)", driver)
    if found is None or found[2] != socket.gethostname():
        return None
    return int(found[1])
