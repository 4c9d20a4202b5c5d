"""Early stopping: ours decides as Ray's scheduler does, without its cost."""

import random
from typing import Any, cast

import pytest
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from picosweep.sweeps.search.early_stopping import Asha, _StubTrial
from picosweep.sweeps.spec.schema import Objective


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_asha_decides_as_rays_own(factor: int, goal: str) -> None:
    """Every decision, and the cutoff behind it, ties between values included."""
    milestones = [256 * factor**rung for rung in range(4)]
    mode = "min" if goal == "minimize" else "max"
    plain = ASHAScheduler(
        time_attr="budget",
        metric="value",
        mode=mode,
        max_t=milestones[-1],
        grace_period=milestones[0],
        reduction_factor=factor,
    )
    objective = Objective.model_validate({"metric": "val_loss", "goal": goal})
    ours = Asha(milestones=milestones, factor=factor, objective=objective)
    chance = random.Random(factor)
    running = {str(number): 0 for number in range(300)}
    num_stopped = 0
    for trial_id in running:
        plain.on_trial_add(cast("Any", None), cast("Any", _StubTrial(trial_id)))
    while running:
        trial_id = chance.choice(sorted(running))
        rung = running[trial_id]
        value = round(chance.gauss(3.0, 1.0), 2)
        result = {"budget": milestones[rung], "value": value}
        trial = cast("Any", _StubTrial(trial_id))
        action = plain.on_trial_result(cast("Any", None), trial, result)
        verdict = ours.judge(trial_id, rung, value)
        assert verdict.stop == (action == TrialScheduler.STOP)
        worse = value > cast("float", verdict.cutoff) if verdict.cutoff is not None else False
        if mode == "max":
            worse = value < cast("float", verdict.cutoff) if verdict.cutoff is not None else False
        assert worse == verdict.stop
        num_stopped += verdict.stop
        running[trial_id] += 1
        if verdict.stop or running[trial_id] == len(milestones) - 1:
            del running[trial_id]
    assert 100 < num_stopped < 300
