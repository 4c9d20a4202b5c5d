"""Which trial is best: by the first objective, among those that trained longest."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it needs Pydantic, and `picosweep status` does without
    from picosweep.sweeps.spec.schema import Objective


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The order of trials under a sweep's first objective."""

    metric: str = "val_loss"
    goal: str = "minimize"

    @classmethod
    def of(cls, objective: "Objective") -> "Ranking":
        """Return the order of trials under an objective."""
        return cls(metric=objective.metric, goal=objective.goal)

    @classmethod
    def of_stored(cls, spec: Mapping[str, Any] | None) -> "Ranking":
        """Return that of a stored spec's first objective; by validation loss where it has none."""
        try:
            first = (spec or {})["objectives"][0]
            return cls(metric=str(first["metric"]), goal=str(first["goal"]))
        except (KeyError, IndexError, TypeError):
            return cls()

    def key(self, row: Mapping[str, Any]) -> float:
        """Return a number to sort rows by, least is best; infinite where nothing was measured."""
        value = row.get(self.metric)
        if value is None or not math.isfinite(value):
            return math.inf
        return self._sign * float(value)

    def winners(self, rows: Sequence[Mapping[str, Any]]) -> list["Winner"]:
        """Return each architecture's winner, the best first.

        It is among the settings at the architecture's highest rung: of those that were trained
        again on fresh seeds the one with the best mean over these, without any the best trial.
        Trials of an earlier spec do not compete.
        """
        measured: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            is_current = row.get("current") is not False
            if is_current and row["rung"] is not None and math.isfinite(self.key(row)):
                measured.setdefault(row["architecture"], []).append(row)
        found = [self._winner(own) for own in measured.values()]
        return sorted((one for one in found if one), key=lambda one: self._sign * one.value)

    @property
    def _sign(self) -> int:
        return -1 if self.goal == "maximize" else 1

    def _winner(self, rows: Sequence[Mapping[str, Any]]) -> "Winner | None":
        longest = max(row["rung"] for row in rows)
        last = [row for row in rows if row["rung"] == longest]
        searched = [row for row in last if row["cohort"] != "confirm"]
        fresh: dict[str, list[Mapping[str, Any]]] = {}
        for row in last:
            if row["cohort"] == "confirm":
                fresh.setdefault(_setting(row), []).append(row)
        best: Winner | None = None
        for row in sorted(searched, key=self.key):
            again = tuple(fresh.get(_setting(row), ()))
            if fresh and not again:
                continue
            seeds = tuple(float(one[self.metric]) for one in again)
            one = Winner(row=row, again=again, seeds=seeds, own=float(row[self.metric]))
            if best is None or self._sign * one.value < self._sign * best.value:
                best = one
        return best


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best setting of one architecture."""

    row: Mapping[str, Any]
    """The searched trial that has it."""
    again: tuple[Mapping[str, Any], ...]
    """The trials that train it again on fresh seeds."""
    seeds: tuple[float, ...]
    """The objective of these."""
    own: float
    """The objective of the searched trial."""

    @property
    def value(self) -> float:
        """By what it is ranked: the mean over fresh seeds, without any the trial's own."""
        return statistics.fmean(self.seeds) if self.seeds else self.own


def _setting(row: Mapping[str, Any]) -> str:
    """Return what trials that differ in the seed alone have in common."""
    config = json.loads(row.get("config") or "{}")
    config.pop("seed", None)
    return json.dumps(config, sort_keys=True)
