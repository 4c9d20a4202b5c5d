"""When a trial is evaluated: its budget in optimizer steps, or in seconds of training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from picosweep.sweeps.spec.schema import Budget

COLUMNS: Final = {"steps": "step", "seconds": "training_seconds"}
"""The column of `reports` that measures how far a trial is, by the unit of its plan."""


@dataclass(frozen=True, kw_only=True)
class ReportPlan:
    """At which marks a trial is evaluated, and which of them are rungs.

    A report in steps lies exactly on its mark. One in seconds lies behind it, by up to the length
    of a step or two, and where a step is slow, behind several marks at once.
    """

    unit: Literal["steps", "seconds"]
    rungs: tuple[float, ...]
    marks: tuple[float, ...]
    """All marks in ascending order, rungs among them."""

    def rung_of(self, report: Mapping[str, Any], before: Mapping[str, Any] | None) -> int | None:
        """Return the highest rung from one report to the next; None for a report between rungs.

        Args:
            report: a row with the columns of `COLUMNS`.
            before: the row of the report before; None where this is the trial's first.
        """
        since = 0 if before is None else self._place(before)
        crossed = [n for n, mark in enumerate(self.rungs) if since < mark <= self._place(report)]
        return crossed[-1] if crossed else None

    def is_over(self, report: Mapping[str, Any]) -> bool:
        """Return whether a trial has reached the last rung."""
        return self._place(report) >= self.rungs[-1]

    def is_last(self, rung: int) -> bool:
        """Return whether a rung is the last one, at which early stopping decides nothing."""
        return rung >= len(self.rungs) - 1

    @property
    def steps(self) -> tuple[int, ...]:
        """The marks as optimizer steps; none where they are seconds."""
        return tuple(int(mark) for mark in self.marks) if self.unit == "steps" else ()

    @property
    def seconds(self) -> tuple[float, ...]:
        """The marks as seconds of training; none where they are steps."""
        return self.marks if self.unit == "seconds" else ()

    @property
    def last_step(self) -> int | None:
        """The step at which the trial ends, None where that depends on the machine's speed."""
        return self.steps[-1] if self.unit == "steps" else None

    def _place(self, report: Mapping[str, Any]) -> float:
        place: float = report[COLUMNS[self.unit]]
        return place


def plan_reports(budget: Budget, tokens_per_step: int, flops_per_token: float) -> ReportPlan:
    """Turn a budget into the marks of one configuration.

    Raises:
        ValueError: a rung in tokens is not a whole number of steps.
    """
    if budget.unit == "seconds":
        return ReportPlan(unit="seconds", rungs=budget.milestones, marks=budget.marks)
    rungs = [
        _steps(budget, milestone, tokens_per_step, flops_per_token)
        for milestone in budget.milestones
    ]
    between = {max(1, math.floor(mark)) for rung in rungs for mark in budget.on_the_way_to(rung)}
    return ReportPlan(unit="steps", rungs=tuple(rungs), marks=tuple(sorted({*rungs, *between})))


def _steps(budget: Budget, milestone: float, tokens_per_step: int, flops_per_token: float) -> int:
    """Return a rung in optimizer steps."""
    match budget.unit:
        case "tokens":
            if milestone % tokens_per_step:
                raise ValueError(
                    f"budget.min of {budget.min:,} tokens is not a whole number of steps of "
                    f"{tokens_per_step:,} tokens (batch_size × block_size)"
                )
            return int(milestone // tokens_per_step)
        case "flops":
            return max(1, math.ceil(milestone / (flops_per_token * tokens_per_step)))
        case _:
            return int(milestone)
