"""What a notebook's cell shows while a sweep runs: the live view, written anew in its place."""

import html
import io
import logging
import math
import sys
import threading
import time
from importlib import import_module
from typing import Any, Final

from picosweep.commands.observer import Observer
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.progress import render

REFRESH_SECONDS: Final = 1.0
COLUMNS: Final = 100
SAFE: Final = (
    "The cell can be stopped at any time: what is trained is kept, and running it again goes on."
)


class NotebookView(Observer):
    """The live view of the command line, in a place of the cell's output that is written anew."""

    def __init__(self) -> None:
        # Here and not when there is something to say: what another thread displays is in no cell.
        display = import_module("IPython.display").display
        self._place: Any = display(_content("starting"), raw=True, display_id=True)
        self._lock = threading.Lock()
        """Held while drawing: the thread that prepares the data calls `say` too."""
        self._sweep = ""
        self._started = 0.0
        self._drawn_at = -math.inf

    def say(self, text: str) -> None:
        """Show what is being waited for."""
        self._show(text)

    def note(self, text: str) -> None:
        """Print a sentence above the live view, where it stays."""
        sys.stdout.write(text + "\n")

    def beat(self, coordinator: Coordinator, slots: int) -> None:
        """Draw the table again, once a second."""
        now = time.monotonic()
        if coordinator.spec.name != self._sweep:
            self._sweep, self._started = coordinator.spec.name, now
        if now - self._drawn_at < REFRESH_SECONDS:
            return
        self._drawn_at = now
        drawn = io.StringIO()
        console = PlainConsole(file=drawn, width=COLUMNS, force_jupyter=False)
        console.print(render(coordinator, slots, now - self._started, COLUMNS))
        self._show(f"{drawn.getvalue().rstrip()}\n{SAFE}")

    def log(self, record: logging.LogRecord) -> None:
        """Print a warning; a traceback stands in the log alone."""
        sys.stderr.write(f"{record.levelname}: {record.getMessage()}\n")

    def _show(self, text: str) -> None:
        with self._lock:
            self._place.update(_content(text), raw=True)


def _content(text: str) -> dict[str, str]:
    page = f'<pre style="line-height: 1.3">{html.escape(text)}</pre>'
    return {"text/plain": text, "text/html": page}
