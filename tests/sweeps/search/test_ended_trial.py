"""Trials that a study is told of whole, after a driver was killed."""

import copy

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from picosweep.sweeps.search.ended_trial import EndedTrial
from picosweep.sweeps.spec.parameters import Parameter, Space, Value

SPACE = Space(
    parameters=(
        Parameter(name="rate", distribution=FloatDistribution(1e-4, 1e-1, log=True)),
        Parameter(name="size", distribution=CategoricalDistribution([8, 16])),
        Parameter(name="depth", fixed=2),
    )
)


def test_it_is_optunas_own_in_all_but_copying() -> None:
    """Every field, after the study has taken it in; the copy shares nothing that can change."""
    chosen: dict[str, Value] = {"rate": 0.01, "size": 16, "depth": 2}
    distributions = SPACE.distributions(chosen)
    params = {name: chosen[name] for name in distributions}
    content = {"params": params, "distributions": distributions, "intermediate_values": {4: 2.5}}
    ours = EndedTrial.of(state=TrialState.COMPLETE, values=[2.0], **content)  # type: ignore[arg-type]
    theirs = create_trial(state=TrialState.COMPLETE, values=[2.0], **content)  # type: ignore[arg-type]
    theirs.datetime_start, theirs.datetime_complete = ours.datetime_start, ours.datetime_complete
    studies = [optuna.create_study(), optuna.create_study()]
    for study, trial in zip(studies, (theirs, ours), strict=True):
        study.add_trial(trial)
        study.add_trial(trial)
    assert studies[0].trials == studies[1].trials
    assert [trial.number for trial in studies[1].trials] == [0, 1]
    copied = copy.deepcopy(ours)
    copied.params["rate"] = 0.05
    copied.user_attrs["remark"] = "changed"
    assert (ours.params["rate"], ours.user_attrs) == (0.01, {})


@pytest.mark.parametrize(
    ("chosen", "held"),
    [
        ({"rate": 0.01, "size": 8}, True),
        ({"rate": 0.2, "size": 8}, False),
        ({"rate": 0.01, "size": 32}, False),
        ({"rate": 0.01}, True),
        ({"rate": "much", "size": 8}, False),
    ],
)
def test_a_space_knows_what_it_holds(chosen: dict[str, Value], held: bool) -> None:
    """A trial of an earlier, wider space is not one that the sampler can learn from."""
    assert SPACE.holds(chosen) == held
