"""How long are slots idle, at the end of a sweep above all? Simulated on stored sweeps.

    python -m benchmarks.packing results/demo results/other

The trials of a stored sweep, each as long as it was, are given out again by the code that gives out
a sweep's trials, to different numbers of slots, in twenty random orders of each architecture's
trials. What is printed is by how much that takes longer than if all slots were busy to the end:
which no order reaches, because the longest trials and the confirmations that wait for a search take
their time on one slot each. Beside it: what giving each architecture its turn would take.
"""

import argparse
import collections
import heapq
import itertools
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table

from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.next_trial import TrialChooser
from picosweep.sweeps.store.folder import SweepFolder, read_json

SLOTS: Final = (2, 3, 4, 6, 8, 12, 16)
ORDERS: Final = 20
BETWEEN_SECONDS: Final = 0.05
"""From the end of a trial to the first step of the next one in its slot."""

Row = dict[str, Any]


class InTurn(TrialChooser):
    """Gives each architecture its turn, whatever its trials take."""

    def _work_left(self, state: ArchitectureState) -> float:
        return -float(len(state.trials))


@dataclass(kw_only=True)
class _Given:
    """A trial that has been given out; as much of `Trial` as choosing the next one needs."""

    candidate: Any
    row: Row

    @property
    def trial_id(self) -> str:
        return str(self.candidate.trial_id)

    @property
    def is_confirmation(self) -> bool:
        return bool(self.row["cohort"] == "confirm")


class _Stored:
    """Stands for an architecture's sampler: proposes its stored trials one after another."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.left = list(rows)

    def propose(self) -> Any:
        """Return the next one, None when there is none left."""
        return _candidate(self.left.pop(0)) if self.left else None

    def tell(self, *_: object) -> None:
        """Learn nothing."""


class _Confirmations:
    """Stands for the factory of candidates: returns a winner with another seed."""

    def with_seed(self, candidate: Any, seed: int) -> Any:
        """Return it; it takes as long as the stored trial of that seed, or as its winner."""
        return _candidate(candidate.row, seed)


def _candidate(row: Row, seed: int | None = None) -> SimpleNamespace:
    name = row["trial_id"] if seed is None else f"{row['trial_id']}/{seed}"
    return SimpleNamespace(trial_id=name, row=row, seed=seed)


def simulate(rows: Sequence[Row], spec: Any, slots: int, chooser: type[TrialChooser]) -> float:
    """Return the time that the trials take, over the time in which all slots would be busy."""
    again = {
        (_setting(row), json.loads(row["config"])["seed"]): row
        for row in rows
        if row["cohort"] == "confirm"
    }
    states = _states(rows, spec)
    chosen_by: Any = chooser(_as_spec(rows, spec), _Confirmations(), states)  # type: ignore[arg-type]
    now, total, number = 0.0, 0.0, itertools.count()
    running: list[tuple[float, int, ArchitectureState, Any]] = []
    while True:
        while len(running) < slots and (proposed := chosen_by.propose()) is not None:
            state, candidate, cohort = proposed
            row = again.get((_setting(candidate.row), candidate.seed), candidate.row)
            given = _Given(candidate=candidate, row={**row, "cohort": cohort})
            state.add(given)
            seconds = (row["seconds"] or 0.0) + BETWEEN_SECONDS
            total += seconds
            heapq.heappush(running, (now + seconds, next(number), state, given))
        if not running:
            return now / (total / slots)
        now, _, state, given = heapq.heappop(running)
        state.on_end(given, given.row["status"])


def _setting(row: Row) -> str:
    return json.dumps({k: v for k, v in json.loads(row["config"]).items() if k != "seed"})


def _states(rows: Sequence[Row], spec: Any) -> dict[str, ArchitectureState]:
    searched: dict[str, list[Row]] = {}
    for row in rows:
        if row["cohort"] != "confirm":
            searched.setdefault(row["architecture"], []).append(row)
    unused: Any = None
    objectives: Any = [SimpleNamespace(**spec["objectives"][0])]
    return {
        name: ArchitectureState(
            name=name, space=unused, study=_Stored(own),  # type: ignore[arg-type]
            stopper=unused, objectives=objectives, milestones=(),
        )
        for name, own in searched.items()
    }  # fmt: skip


def _as_spec(rows: Sequence[Row], spec: Any) -> Any:
    searched = collections.Counter(r["architecture"] for r in rows if r["cohort"] != "confirm")
    confirm = spec.get("confirm") or {"top": 0, "seeds": 0}
    return SimpleNamespace(
        search=SimpleNamespace(trials_per_architecture=max(searched.values()), seed=0),
        confirm=SimpleNamespace(**confirm),
        budget=SimpleNamespace(**spec["budget"]),
        early_stopping=SimpleNamespace(exempt_fraction=0.0),
        seed=spec["seed"],
    )


def main() -> None:
    """Print a table for each sweep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweeps", nargs="+", type=Path)
    for folder in parser.parse_args().sweeps:
        parts = sorted((folder / "trials").glob("*.parquet"))
        frame = pl.concat([pl.read_parquet(part) for part in parts], how="diagonal_relaxed")
        rows = frame.unique("trial_id", keep="last").sort("start_time").to_dicts()
        spec = read_json(SweepFolder(folder).spec)
        title = f"{folder.name}, {len(rows)} trials: longer than if all slots were busy, by"
        table = Table(title=title, title_justify="left")
        table.add_column("slots", justify="right")
        for name in ("as trials are given out", "architectures in turn"):
            table.add_column(name, justify="right")
        for slots in SLOTS:
            means = [_mean(rows, spec, slots, chooser) for chooser in (TrialChooser, InTurn)]
            table.add_row(str(slots), *(f"{mean - 1:.1%}" for mean in means))
        Console().print(table)


def _mean(rows: Sequence[Row], spec: Any, slots: int, chooser: type[TrialChooser]) -> float:
    found = []
    for seed in range(ORDERS):
        shuffled = random.Random(seed).sample(rows, len(rows))
        found.append(simulate(shuffled, spec, slots, chooser))
    return statistics.fmean(found)


if __name__ == "__main__":
    main()
