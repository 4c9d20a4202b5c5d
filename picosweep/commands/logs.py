"""A sweep's log files: one for each run of the command, in the sweep's folder."""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.store.mirror import open_results

POLL_SECONDS: Final = 0.5
FORMAT: Final = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"

log = logging.getLogger("picosweep")


class _Listener(logging.Handler):
    """Passes warnings and errors on to whoever watches the sweep."""

    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(level=logging.WARNING)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        self._hear(record)


@contextlib.contextmanager
def log_to(folder: Path, hear: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Log to a new file in the sweep's folder.

    Messages below a warning, what Ray's processes print among them, go there alone.

    Args:
        folder: the sweep's folder.
        hear: called with each warning and error of Picosweep's own, in the thread that logs it.
    """
    beside = SweepFolder(folder).logs
    beside.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = beside / f"{stamp}-{os.getpid()}.log"
    to_file = logging.FileHandler(path, encoding="utf-8")
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    to_file.setFormatter(formatter)
    to_file.handleError = lambda record: None  # type: ignore[method-assign] # said elsewhere
    listener = _Listener(hear)
    log.setLevel(logging.INFO)
    log.addHandler(to_file)
    log.addHandler(listener)
    log.info("started %.1f s ago, process %d", seconds_since_process_start(), os.getpid())
    try:
        yield
    finally:
        log.removeHandler(to_file)
        log.removeHandler(listener)
        with contextlib.suppress(OSError):
            to_file.close()


def seconds_since_process_start() -> float:
    """Return how long this process has been running, imports of modules included."""
    return max(0.0, time.time() - psutil.Process().create_time())


def logs(sweep: str, *, results: str | Path = "results", follow: bool = False) -> Iterator[str]:
    """Yield the log of a sweep's last driver, line by line.

    Args:
        sweep: name of the sweep, or its folder.
        results: folder or address in which the sweeps are.
        follow: whether to wait for more as long as the sweep runs.

    Raises:
        InputError: there is no such sweep, or it has no log.
    """
    folder = find_sweep(sweep, open_results(results))
    paths = sorted(SweepFolder(folder).logs.glob("*.log"))
    if not paths:
        raise input_error("this sweep has no log", where=str(folder))
    with paths[-1].open(encoding="utf-8", errors="replace") as file:
        while True:
            is_running = follow and running_driver(folder) is not None
            yield from file
            if not is_running:
                return
            time.sleep(POLL_SECONDS)
