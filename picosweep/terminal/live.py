"""What a terminal shows while a sweep runs: a spinner, then a live table, then a spinner."""

import logging
import math
import threading
import time
from types import TracebackType
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.status import Status
from rich.table import Table
from rich.text import Text

from picosweep.commands.observer import Observer
from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.spec.schema import Spec
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.wording import duration

REFRESH_SECONDS: Final = 0.25


class LiveView(Observer):
    """Trials done, running and stopped, the best of each architecture, speed and time left.

    On a console that is no terminal only warnings are printed.

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
        self._started = 0.0
        self._drawn_at = -math.inf

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
        """Show what is being waited for."""
        if not self._console.is_terminal:
            return
        with self._lock:
            if self._spinner is None:
                self._clear()
                self._spinner = self._console.status(text, spinner="dots")
                self._spinner.start()
            self._spinner.update(Text(text))

    def beat(self, coordinator: Coordinator, slots: int) -> None:
        """Draw the table again, at most a few times a second."""
        if not self._console.is_terminal:
            return
        now = time.monotonic()
        if self._live is None:
            self._clear()
            self._started = now
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        if now - self._drawn_at >= REFRESH_SECONDS:
            self._drawn_at = now
            drawn = render(coordinator, slots, now - self._started)
            self._live.update(drawn, refresh=True)

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


def render(coordinator: Coordinator, slots: int, elapsed: float) -> Group:
    """Return the table of a sweep, a row for each architecture, and how far it is in all.

    Args:
        coordinator: coordinator of the sweep, which is only read.
        slots: number of trials that can run at once.
        elapsed: seconds of training so far.
    """
    ranking = Ranking.of(coordinator.spec.objectives[0])
    table = Table(title=f"sweep {coordinator.spec.name}", title_justify="left", expand=False)
    table.add_column("architecture")
    for name in ("done", "running", "stopped", "diverged", "failed"):
        table.add_column(name, justify="right")
    table.add_column(f"best {ranking.metric}", justify="right")
    table.add_column("of trial")
    for state in coordinator.architectures.values():
        table.add_row(*_row_of(state, coordinator, ranking))
    total = _total_trials(coordinator.spec)
    ended = coordinator.num_ended
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=total, completed=min(ended, total), width=30),
        Text(f"{ended} of up to {total} trials"),
        Text(f"{coordinator.new_tokens / max(elapsed, 1e-9):,.0f} tokens/s"),
        Text(f"{duration(elapsed)} gone"),
        Text(_time_left(_seconds_left(coordinator, slots))),
    )
    return Group(table, bar)


def _total_trials(spec: Spec) -> int:
    confirm = spec.confirm.top * spec.confirm.seeds
    return len(spec.architectures) * (spec.search.trials_per_architecture + confirm)


def _row_of(state: ArchitectureState, coordinator: Coordinator, ranking: Ranking) -> list[str]:
    status = [str(trial.row["status"]) for trial in state.trials]
    running = len(_running(state, coordinator))
    best = next(iter(ranking.winners([trial.row for trial in state.trials])), None)
    return [
        state.name,
        str(sum(trial.ended for trial in state.trials)),
        str(running),
        *(str(status.count(name)) for name in ("stopped", "diverged", "failed")),
        "–" if best is None else f"{best.value:.4f}",
        "" if best is None else best.row["trial_id"],
    ]


def _running(state: ArchitectureState, coordinator: Coordinator) -> list[Trial]:
    """Return an architecture's trials in training; others given out still wait for a process."""
    given_out = [coordinator.assigned[trial_id] for trial_id in coordinator.started]
    return [trial for trial in given_out if trial.candidate.architecture == state.name]


def _seconds_left(coordinator: Coordinator, slots: int) -> float | None:
    """Guess the time to the end, None before every architecture was measured."""
    total = 0.0
    for state in coordinator.architectures.values():
        mean = state.mean_seconds()
        if mean is None:
            return None
        running = len(_running(state, coordinator))
        total += mean * (coordinator.remaining(state) + 0.5 * running)
    return total / max(1, slots)


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f"about {duration(seconds)} left"
