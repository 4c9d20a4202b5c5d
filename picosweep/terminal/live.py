"""What a terminal shows while a sweep runs: a spinner, then a live table, then a spinner."""

import logging
import math
import threading
import time
from types import TracebackType
from typing import Final

from rich.live import Live
from rich.logging import RichHandler
from rich.status import Status
from rich.text import Text

from picosweep.commands.observer import Observer
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.search.ranking import Ranking
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.progress import best_of, line, render, told_best
from picosweep.terminal.wording import duration

REFRESH_SECONDS: Final = 0.25
LINE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
"""Between looks for a new best without a terminal: each goes over all trials."""
SAFE: Final = "Ctrl-C is safe: what is trained is kept, and the same command goes on."


class LiveView(Observer):
    """Trials training, done and stopped, the best of each architecture, speed and time left.

    On a console that is no terminal it is a line a minute, and one at each new best trial.

    Args:
        console: where to draw.
    """

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._spinner: Status | None = None
        self._live: Live | None = None
        self._warnings = RichHandler(console=console, show_time=False, show_path=False)
        self._lock = threading.RLock()
        """Held while drawing starts or stops: the thread that prepares the data calls `say` too."""
        self._sweep = ""
        self._started = 0.0
        self._drawn_at = -math.inf
        self._looked_at = -math.inf
        self._best = ""
        self._phase = ""

    def __enter__(self) -> "LiveView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def say(self, text: str) -> None:
        """Show what is being waited for; without a terminal, each phase once."""
        if not self._console.is_terminal:
            phase = text.partition(":")[0]
            if phase != self._phase:
                self._phase = phase
                self._console.print(phase)
            return
        with self._lock:
            if self._spinner is None:
                self._clear()
                self._spinner = self._console.status(text, spinner="dots")
                self._spinner.start()
            self._spinner.update(Text(text))

    def note(self, text: str) -> None:
        """Print a sentence above what is drawn."""
        self._console.print(Text(text, "dim"), soft_wrap=not self._console.is_terminal)

    def beat(self, coordinator: Coordinator, slots: int) -> None:
        """Draw the table again, at most a few times a second; or print a line."""
        now = time.monotonic()
        if coordinator.spec.name != self._sweep:  # a study runs several, one after another
            self._sweep, self._started = coordinator.spec.name, now
            self._drawn_at, self._best = -math.inf, ""
        if not self._console.is_terminal:
            self._print(coordinator, slots, now)
            return
        if self._live is None:
            self._clear()
            self._console.print(Text(SAFE, "dim"))
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        if now - self._drawn_at >= REFRESH_SECONDS:
            self._drawn_at = now
            drawn = render(coordinator, slots, now - self._started, self._console.width)
            self._live.update(drawn, refresh=True)

    def _print(self, coordinator: Coordinator, slots: int, now: float) -> None:
        """Print a line where a minute has passed, or where another trial is the best."""
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        elapsed = now - self._started
        ranking = Ranking.of(coordinator.spec.objectives[0])
        best = best_of(coordinator, ranking)
        trial_id = "" if best is None else str(best.row["trial_id"])
        if best is not None and trial_id != self._best:
            self._best = trial_id
            told = f"{duration(elapsed)}: best {told_best(best, ranking)}"
            self._console.print(told, soft_wrap=True)
        if now - self._drawn_at < LINE_SECONDS:
            return
        first, self._drawn_at = not math.isfinite(self._drawn_at), now
        told = f"training; {SAFE}" if first else line(coordinator, slots, elapsed)
        self._console.print(told, soft_wrap=True)

    def log(self, record: logging.LogRecord) -> None:
        """Print a warning above what is drawn; a traceback stands in the log alone."""
        bare = vars(record) | {"exc_info": None, "exc_text": None, "stack_info": None}
        self._warnings.handle(logging.makeLogRecord(bare))

    def _clear(self) -> None:
        with self._lock:
            if self._spinner is not None:
                self._spinner.stop()
            if self._live is not None:
                self._live.stop()
            self._spinner = self._live = None
