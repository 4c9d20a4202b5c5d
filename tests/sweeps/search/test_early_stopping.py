"""Early stopping decides as Ray's schedulers do: they are the oracle here."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from ray.tune.schedulers import ASHAScheduler, MedianStoppingRule, TrialScheduler

from picosweep.sweeps.search.early_stopping import Asha, Median, Stopper
from picosweep.sweeps.spec.schema import Objective

NUM_RUNGS = 4


@dataclass(frozen=True)
class _Trial:
    """As much of a trial as Ray's schedulers look at."""

    trial_id: str


class _NoController:
    """What the median rule asks where it has too few values: no trial wants a turn."""

    def get_live_trials(self) -> list[Any]:
        """None of them."""
        return []


def _objective(goal: str) -> Objective:
    return Objective.model_validate({"metric": "val_loss", "goal": goal})


def _compare(ours: Stopper, rays: Any, milestones: list[int], goal: str, seed: int) -> int:
    """Let both decide about the same arrivals; how many were stopped."""
    chance = random.Random(seed)
    running = {str(number): 0 for number in range(300)}
    for trial_id in running:
        rays.on_trial_add(cast("Any", None), _Trial(trial_id))
    num_stopped = 0
    while running:
        trial_id = chance.choice(sorted(running))
        rung = running[trial_id]
        value = round(chance.gauss(3.0, 1.0), 2)  # with ties
        result = {"budget": milestones[rung], "value": value}
        action = rays.on_trial_result(_NoController(), _Trial(trial_id), result)
        verdict = ours.judge(trial_id, rung, value)
        assert verdict.stop == (action == TrialScheduler.STOP)
        num_stopped += verdict.stop
        running[trial_id] += 1
        if verdict.stop or running[trial_id] == len(milestones) - 1:
            del running[trial_id]
    return num_stopped


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_asha_decides_as_rays_own(factor: int, goal: str) -> None:
    """Every decision is the same, ties between values included."""
    milestones = [256 * factor**rung for rung in range(NUM_RUNGS)]
    rays = ASHAScheduler(
        time_attr="budget",
        metric="value",
        mode="min" if goal == "minimize" else "max",
        max_t=milestones[-1],
        grace_period=milestones[0],
        reduction_factor=factor,
    )
    ours = Asha(factor=factor, objective=_objective(goal))
    assert 100 < _compare(ours, rays, milestones, goal, seed=factor) < 300


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(3))
def test_the_median_rule_decides_as_rays_own(seed: int, goal: str) -> None:
    """Every decision is the same, the first ones with too few to compare with included."""
    milestones = [256 * 3**rung for rung in range(NUM_RUNGS)]
    rays = MedianStoppingRule(
        time_attr="budget",
        metric="value",
        mode="min" if goal == "minimize" else "max",
        grace_period=milestones[0],
        min_samples_required=Median.MIN_SAMPLES,
    )
    ours = Median(objective=_objective(goal))
    assert 100 < _compare(ours, rays, milestones, goal, seed=seed) < 300


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize(
    "make", [lambda goal: Asha(factor=3, objective=goal), lambda goal: Median(objective=goal)]
)
def test_the_cutoff_is_what_had_to_be_reached(
    make: Callable[[Objective], Stopper], goal: str
) -> None:
    """A reader can check every decision by it; without one the trial goes on."""
    stopper, chance = make(_objective(goal)), random.Random(0)
    seen = set()
    for number in range(50):
        value = chance.gauss(3.0, 1.0)
        verdict = stopper.judge(str(number), 0, value)
        seen.add((verdict.stop, verdict.cutoff is None))
        if verdict.cutoff is None:
            assert not verdict.stop
        else:
            worse = value > verdict.cutoff if goal == "minimize" else value < verdict.cutoff
            assert verdict.stop == worse
    assert seen == {(False, True), (False, False), (True, False)}


@pytest.mark.parametrize(
    "make", [lambda goal: Asha(factor=3, objective=goal), lambda goal: Median(objective=goal)]
)
def test_recalled_values_count_like_judged_ones(make: Callable[[Objective], Stopper]) -> None:
    """A resumed sweep decides as one that was never interrupted."""
    chance = random.Random(1)
    values = [chance.gauss(3.0, 1.0) for _ in range(30)]
    whole, resumed = make(_objective("minimize")), make(_objective("minimize"))
    for number, value in enumerate(values[:20]):
        whole.judge(str(number), 0, value)
        resumed.recall(str(number), 0, value)
    for number, value in enumerate(values[20:], start=20):
        assert whole.judge(str(number), 0, value) == resumed.judge(str(number), 0, value)


def test_the_median_rule_with_several_rungs_at_once() -> None:
    """A value at a rung counts at the rungs that the trial came to with the same step."""
    rule = Median(objective=_objective("minimize"))
    for number, value in enumerate((1.0, 2.0, 3.0)):
        rule.recall(str(number), 2, value)
    verdict = rule.judge("slow", 1, 2.5)
    assert (verdict.stop, verdict.cutoff) == (True, 2.0)
