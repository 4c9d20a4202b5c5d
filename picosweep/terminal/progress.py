"""How far a sweep is: a table for a terminal of any width, and a line for a log."""

import math
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.search.ranking import Ranking, Winner
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.tables import short_id
from picosweep.terminal.wording import counted, duration

WIDE: Final = 110
"""Columns of a terminal from which on whole ids and longer curves have room."""
BARS: Final = "▁▂▃▄▅▆▇█"
REPORT_SECONDS: Final = 6.0
"""Reading the tables and writing the page of the demo sweep, on two cores."""


def render(coordinator: Coordinator, slots: int, elapsed: float, width: int = 80) -> Group:
    """Return the table of a sweep, a row for each architecture, and how far it is in all.

    Args:
        coordinator: coordinator of the sweep, which is only read.
        slots: number of trials that can run at once.
        elapsed: seconds of training so far.
        width: columns of the terminal.
    """
    spec = coordinator.spec
    ranking = Ranking.of(spec.objectives[0])
    states = list(coordinator.architectures.values())
    troubles = [name for name in ("diverged", "failed") if any(_count(s, name) for s in states)]
    wide = width >= WIDE
    gap = 2 if wide else 1
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("architecture", overflow="fold")  # alone gives way where there is no room
    for name in ("now", "done", "stopped", *troubles):
        table.add_column(name, justify="right", no_wrap=True)
    last = ["at rungs", "best", "trial", "curve"]
    if troubles and not wide:
        last.pop()
    for name in last:
        table.add_column(name, justify="right" if name == "best" else "left", no_wrap=True)
    for state in states:
        cells = _row_of(state, coordinator, ranking, troubles, wide=wide)
        table.add_row(*cells[: len(table.columns)])
    title = Text.assemble("sweep ", (spec.name, "bold"), f"  best by {ranking.metric}")
    total = total_trials(spec)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=total, completed=min(coordinator.num_ended, total), width=width // 5),
        Text(_progress(coordinator, slots, elapsed)),
    )
    return Group(title, table, bar, Text(_clock(coordinator, slots, elapsed)))


def line(coordinator: Coordinator, slots: int, elapsed: float) -> str:
    """Return how far a sweep is in one line, for a log."""
    ranking = Ranking.of(coordinator.spec.objectives[0])
    best = best_of(coordinator, ranking)
    told = "" if best is None else f"; best {told_best(best, ranking)}"
    clock = _clock(coordinator, slots, elapsed)
    return f"{_progress(coordinator, slots, elapsed)}, {clock}{told}"


def best_of(coordinator: Coordinator, ranking: Ranking) -> Winner | None:
    """Return the best trial of all architectures, None before one was measured."""
    rows = [trial.row for trial in coordinator.trials]
    return next(iter(ranking.winners(rows)), None)


def told_best(best: Winner, ranking: Ranking) -> str:
    """Return a winner in a few words."""
    row = best.row
    trial = f"{row['architecture']} {short_id(row['trial_id'])}"
    return f"{ranking.metric} {best.value:.4f}, {trial} at rung {row['rung']}"


def total_trials(spec: Spec) -> int:
    """Return how many trials a sweep has at most."""
    confirm = spec.confirm.top * spec.confirm.seeds
    return len(spec.architectures) * (spec.search.trials_per_architecture + confirm)


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a curve as bars of as many columns at most; its last values where there are more."""
    shown = [value for value in values if math.isfinite(value)][-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if low == high:
        return BARS[0] * len(shown)
    top = len(BARS) - 1
    return "".join(BARS[round(top * (value - low) / (high - low))] for value in shown)


def _count(state: ArchitectureState, *statuses: str) -> int:
    return sum(trial.row["status"] in statuses for trial in state.trials)


def _row_of(
    state: ArchitectureState,
    coordinator: Coordinator,
    ranking: Ranking,
    troubles: Sequence[str],
    *,
    wide: bool,
) -> list[str]:
    best = next(iter(ranking.winners([trial.row for trial in state.trials])), None)
    told = ["–", "", ""]
    if best is not None:
        trial_id = best.row["trial_id"]
        curve = coordinator.curve_of(trial_id, ranking.metric)
        told = [
            f"{best.value:.4f}",
            trial_id if wide else short_id(trial_id),
            sparkline(curve, 24 if wide else 8),
        ]
    return [
        state.name,
        str(len(_running(state, coordinator))),
        str(_count(state, "completed", "cached")),
        str(_count(state, "stopped")),
        *(str(_count(state, name)) for name in troubles),
        _at_rungs(state),
        *told,
    ]


def _at_rungs(state: ArchitectureState) -> str:
    """Return how many trials have reached each rung: `27 9 3`."""
    reached = [trial.row["rung"] for trial in state.trials if trial.row["rung"] is not None]
    counts = [sum(own >= rung for own in reached) for rung in range(len(state.milestones))]
    return " ".join(map(str, counts))


def _running(state: ArchitectureState, coordinator: Coordinator) -> list[Trial]:
    """Return an architecture's trials in training; others given out still wait for a process."""
    given_out = [coordinator.assigned[trial_id] for trial_id in coordinator.started]
    return [trial for trial in given_out if trial.candidate.architecture == state.name]


def _progress(coordinator: Coordinator, slots: int, elapsed: float) -> str:
    total = total_trials(coordinator.spec)
    speed = f"{coordinator.new_tokens / max(elapsed, 1e-9):,.0f} tokens/s"
    where = f"{len(coordinator.started)} of {counted(slots, 'slot')}"
    return f"{coordinator.num_ended} of up to {total} trials, {where}, {speed}"


def _clock(coordinator: Coordinator, slots: int, elapsed: float) -> str:
    seconds = _seconds_left(coordinator, slots, elapsed)
    left = "" if seconds is None else f", about {duration(seconds)} left"
    return f"{duration(elapsed)} gone{left}"


def _seconds_left(coordinator: Coordinator, slots: int, elapsed: float) -> float | None:
    """Guess the time to the end, the report with it; None before every architecture was measured.

    What slots lose between trials and at the start counts as it did so far.
    """
    total, busy = 0.0, 0.0
    for state in coordinator.architectures.values():
        mean = state.mean_seconds()
        if mean is None:
            return None
        running = len(_running(state, coordinator))
        total += mean * (coordinator.remaining(state) + 0.5 * running)
        busy += sum(trial.row["seconds"] or 0.0 for trial in state.trials if trial.ended)
    lost = max(1.0, elapsed * slots / busy) if busy and coordinator.num_ended > 2 * slots else 1.0
    return min(2.0, lost) * total / max(1, slots) + REPORT_SECONDS
