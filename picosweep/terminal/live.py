"""What a sweep shows while it runs: a live table on a terminal, nothing elsewhere."""

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from picosweep.sweeps.decisions.architecture_state import Family
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.spec.schema import Spec
from picosweep.terminal.wording import duration

REFRESH_SECONDS: Final = 0.25


class LiveView:
    """Trials done, running and stopped, the best of each architecture, speed and time left.

    Args:
        console: where to draw; a console that is no terminal stays empty.
        spec: the sweep.
        slots: trials that run at once.
    """

    def __init__(self, console: Console, spec: Spec, slots: int) -> None:
        self._spec = spec
        self._ranking = Ranking.of(spec.objectives[0])
        self._slots = slots
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._enabled = console.is_terminal
        self._started = time.monotonic()
        self._drawn_at = -math.inf

    def __enter__(self) -> "LiveView":
        if self._enabled:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, coordinator: Coordinator) -> None:
        """Draw again, at most a few times a second."""
        now = time.monotonic()
        if self._enabled and now - self._drawn_at >= REFRESH_SECONDS:
            self._drawn_at = now
            self._live.update(self._render(coordinator, now - self._started), refresh=True)

    def _render(self, coordinator: Coordinator, elapsed: float) -> Group:
        table = Table(title=f"sweep {self._spec.name}", title_justify="left", expand=False)
        table.add_column("architecture")
        for name in ("done", "running", "stopped", "diverged", "failed"):
            table.add_column(name, justify="right")
        table.add_column(f"best {self._ranking.metric}", justify="right")
        table.add_column("of trial")
        for family in coordinator.families.values():
            table.add_row(*_family_row(family, coordinator, self._ranking))
        total = self._total_trials()
        ended = coordinator.num_ended
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=total, completed=min(ended, total), width=30),
            Text(f"{ended} of up to {total} trials"),
            Text(f"{coordinator.new_tokens / max(elapsed, 1e-9):,.0f} tokens/s"),
            Text(f"{duration(elapsed)} gone"),
            Text(_time_left(_seconds_left(coordinator, self._slots))),
        )
        return Group(table, bar)

    def _total_trials(self) -> int:
        confirm = self._spec.confirm.top * self._spec.confirm.seeds
        per_architecture = self._spec.search.trials_per_architecture + confirm
        return len(self._spec.architectures) * per_architecture


def _family_row(family: Family, coordinator: Coordinator, ranking: Ranking) -> list[str]:
    status = [str(trial.row["status"]) for trial in family.trials]
    running = len(_running(family, coordinator))
    rows = [trial.row for trial in family.trials]
    best = min((r for r in rows if ranking.key(r) < math.inf), key=ranking.key, default=None)
    return [
        family.name,
        str(sum(trial.ended for trial in family.trials)),
        str(running),
        *(str(status.count(name)) for name in ("stopped", "diverged", "failed")),
        "–" if best is None else f"{best[ranking.metric]:.4f}",
        "" if best is None else best["trial_id"],
    ]


def _running(family: Family, coordinator: Coordinator) -> list[Trial]:
    """An architecture's trials that are being trained: Ray has one more in hand than slots."""
    given_out = [coordinator.assigned[trial_id] for trial_id in coordinator.started]
    return [trial for trial in given_out if trial.candidate.architecture == family.name]


def _seconds_left(coordinator: Coordinator, slots: int) -> float | None:
    """A guess at the time to the end, None before every architecture was measured."""
    total = 0.0
    for family in coordinator.families.values():
        mean = family.mean_seconds()
        if mean is None:
            return None
        running = len(_running(family, coordinator))
        total += mean * (coordinator.remaining(family) + 0.5 * running)
    return total / max(1, slots)


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f"about {duration(seconds)} left"


class Steps:
    """A spinner that says what is being waited for, before the first trial runs."""

    def __init__(self, console: Console) -> None:
        self._status = console.status("starting", spinner="dots") if console.is_terminal else None

    def __enter__(self) -> Callable[[str], None]:
        if self._status is None:
            return lambda _text: None
        self._status.start()
        return self._status.update

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
