"""Which trial is best: by the first objective, among those that trained longest."""

import math
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
        return float(-value if self.goal == "maximize" else value)

    def best(
        self, rows: Sequence[Mapping[str, Any]], architecture: str
    ) -> Mapping[str, Any] | None:
        """Return an architecture's best searched trial among those at the highest rung."""
        measured = [
            row
            for row in rows
            if row["architecture"] == architecture
            and row["cohort"] != "confirm"
            and row["rung"] is not None
            and math.isfinite(self.key(row))
        ]
        longest = max((row["rung"] for row in measured), default=None)
        return min((r for r in measured if r["rung"] == longest), key=self.key, default=None)
