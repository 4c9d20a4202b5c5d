"""When a trial reports: in steps exactly there, in seconds behind the mark."""

from typing import Any

import pytest

from picosweep.sweeps.spec.report_plan import ReportPlan, plan_reports
from picosweep.sweeps.spec.schema import Budget


def _plan(**budget: Any) -> ReportPlan:
    return plan_reports(Budget.model_validate(budget), tokens_per_step=64, flops_per_token=1e3)


def _at(place: float) -> dict[str, float]:
    return {"training_seconds": place, "step": -1}


def test_marks_in_steps() -> None:
    """Every unit but seconds comes down to whole steps."""
    for unit, minimum in (("steps", 10), ("tokens", 640), ("flops", 640_000)):
        plan = _plan(unit=unit, min=minimum, factor=2, rungs=3, reports_per_rung=2)
        assert plan.rungs == (10, 20, 40)
        assert plan.steps == (7, 10, 14, 20, 28, 40)
        assert plan.seconds == ()
        assert plan.last_step == 40


def test_marks_in_seconds() -> None:
    """Rungs and what lies between them, evenly on a logarithmic scale; no step is known."""
    plan = _plan(unit="seconds", min=5, factor=4, rungs=2, reports_per_rung=2)
    assert plan.rungs == (5, 20)
    assert plan.seconds == pytest.approx((2.5, 5, 10, 20))
    assert plan.steps == ()
    assert plan.last_step is None
    assert _plan(unit="seconds", min=0.2, factor=2, rungs=2).rungs == (0.2, 0.4)


def test_a_report_in_steps_is_at_a_rung_or_between() -> None:
    """Only a report on the rung's own step is at the rung."""
    plan = _plan(unit="steps", min=10, factor=2, rungs=3)
    steps = (7, 10, 14, 15, 20, 40)
    places: list[dict[str, Any]] = [{"step": step, "training_seconds": None} for step in steps]
    before = [None, *places]
    found = [plan.rung_of(*pair) for pair in zip(places, before, strict=False)]
    assert found == [None, 0, None, None, 1, 2]
    assert [plan.is_over(place) for place in places] == [False] * 5 + [True]


def test_a_report_in_seconds_lies_behind_its_rung() -> None:
    """It belongs to the highest rung that was crossed since the report before."""
    plan = _plan(unit="seconds", min=5, factor=3, rungs=3)
    assert plan.rung_of(_at(4.9), None) is None
    assert plan.rung_of(_at(5.0), _at(4.9)) == 0
    assert plan.rung_of(_at(5.2), None) == 0
    assert plan.rung_of(_at(9.0), _at(5.0)) is None
    assert plan.rung_of(_at(50.0), _at(5.2)) == 2
    assert plan.rung_of(_at(5.2), _at(15.3)) is None  # trained again after a crash
    assert not plan.is_over(_at(44.9))
    assert plan.is_over(_at(50.0))
    assert [plan.is_last(rung) for rung in (0, 1, 2)] == [False, False, True]


def test_two_rungs_at_one_step_are_the_higher_one() -> None:
    """Few FLOPs are less than a step."""
    plan = _plan(unit="flops", min=1, factor=2, rungs=3, reports_per_rung=1)
    assert plan.rungs == (1, 1, 1)
    assert plan.rung_of({"step": 1}, None) == 2
