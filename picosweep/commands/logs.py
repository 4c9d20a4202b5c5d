"""Log files: one for each run of the command, in the sweep's folder; what matters on the screen."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.logging import RichHandler

from picosweep.commands.environment import seconds_since_process_start
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.lock import running_driver

POLL_SECONDS: Final = 0.5
FORMAT: Final = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"

log = logging.getLogger("picosweep")


@contextlib.contextmanager
def log_to(folder: Path, console: Console) -> Iterator[None]:
    """Log to a new file in the sweep's folder; warnings also reach the screen.

    Warnings of the libraries underneath go to the file alone.
    """
    (folder / "logs").mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder / "logs" / f"{stamp}-{os.getpid()}.log"
    to_file = logging.FileHandler(path, encoding="utf-8")
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    to_file.setFormatter(formatter)
    to_file.handleError = lambda record: None  # type: ignore[method-assign] # a full disk is told
    to_screen = RichHandler(
        level=logging.WARNING, console=console, show_time=False, show_path=False
    )
    log.setLevel(logging.INFO)
    log.addHandler(to_file)
    log.addHandler(to_screen)
    log.info("started %.1f s ago, process %d", seconds_since_process_start(), os.getpid())
    try:
        yield
    finally:
        log.removeHandler(to_file)
        log.removeHandler(to_screen)
        with contextlib.suppress(OSError):
            to_file.close()


def log_lines(sweep: str, results: Path, *, follow: bool = False) -> Iterator[str]:
    """The log of a sweep's last driver, line by line.

    Args:
        sweep: its name, or its folder.
        results: where sweeps land.
        follow: whether to wait for more as long as the sweep runs.

    Raises:
        InputError: there is no such sweep, or it has no log.
    """
    folder = find_sweep(sweep, results)
    paths = sorted((folder / "logs").glob("*.log"))
    if not paths:
        raise input_error("this sweep has no log", where=str(folder))
    with paths[-1].open(encoding="utf-8", errors="replace") as file:
        while True:
            is_running = follow and running_driver(folder) is not None
            yield from file
            if not is_running:
                return
            time.sleep(POLL_SECONDS)
