"""What is said of a claim: known intervals, both sides of a bound, and what cannot be told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from scipy import stats

from picosweep.studies.judge import Measured, SweepRows, interval, judge, samples_of
from picosweep.studies.study import Claim, Study, merged

A, B = (1.00, 1.02, 1.01), (1.30, 1.26, 1.31)


def rows(**arms: Sequence[float | None]) -> dict[str, SweepRows]:
    """A sweep `s` whose architectures have these losses on fresh seeds."""
    again = {
        name: [
            {"trial_id": f"{name}{n}", "seed": n, "val_loss": value}
            for n, value in enumerate(values)
        ]
        for name, values in arms.items()
    }
    scores = [
        {"trial_id": "a0", "step": step, "rung": step - 1, "section": section, "score": score}
        for step, section, score in [
            (1, "x", 0.9), (2, "x", 0.2), (2, "x", 0.4), (2, "y", 0.7),
        ]
    ]  # fmt: skip
    return {"s": SweepRows(again=again, rows_of=lambda _table: scores)}


def study(*claims: dict[str, Any]) -> Study:
    """A study with these claims over arms a and b."""
    return Study.model_validate(
        {
            "title": "t",
            "question": "q",
            "original": "o",
            "sweeps": {"s": {"asks": "?", "spec": {"architectures": {"a": {}, "b": {}}}}},
            "claims": [{"name": f"c{n}", "text": "", **one} for n, one in enumerate(claims)],
        }
    )


def test_intervals_are_welchs_and_students() -> None:
    """As SciPy has them."""
    estimate, low, high = interval([A, B], 0.05)
    known = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    assert (low, high) == pytest.approx((known.low, known.high))
    assert estimate == pytest.approx(sum(A) / 3 - sum(B) / 3)
    _, low, high = interval([A], 0.01)
    known = stats.ttest_1samp(A, 0).confidence_interval(0.99)
    assert (low, high) == pytest.approx((known.low, known.high))
    assert interval([(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)], 0.05) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ({"difference": ["s/a", "s/b"], "below": 0.0}, "holds"),
        ({"difference": ["s/b", "s/a"], "below": 0.0}, "does not hold"),
        ({"difference": ["s/b", "s/a"], "below": 0.0, "wrong": "leak"}, "the original was wrong"),
        ({"difference": ["s/b", "s/a"], "above": 0.2}, "holds"),
        ({"difference": ["s/b", "s/a"], "above": 0.28}, "cannot tell"),
        ({"value": "s/a", "below": 1.2}, "holds"),
        ({"value": "s/a", "above": 1.2}, "does not hold"),
        ({"preset": "gpt-char-a", "below": 5e7, "wrong": "85 M"}, "the original was wrong"),
        ({"preset": "mini-27m", "below": 27_270_000.0}, "holds"),
    ],
)  # fmt: skip
def test_a_claim_holds_where_its_interval_lies_on_its_side(
    claim: dict[str, Any], verdict: str
) -> None:
    """Not where it lies on the other, and nothing is said where it lies on both."""
    (found,) = judge(study(claim), rows(a=A, b=B))
    assert found.verdict == verdict
    if claim.get("wrong"):
        assert found.reason == claim["wrong"]


def test_the_same_trials_at_two_rungs_are_compared_one_by_one() -> None:
    """What a seed does at both rungs is no scatter of the difference."""
    first, second = (
        Measured(arm=arm, trial_ids=("p", "q", "r"), seeds=(1, 2, 3), values=values)
        for arm, values in (("s/a@1", (5.0, 7.0, 9.1)), ("s/a@0", (4.0, 6.0, 8.0)))
    )
    (differences,) = samples_of([first, second], paired=False)
    assert differences == pytest.approx([1.0, 1.0, 1.1])
    other = replace(second, trial_ids=("x", "y", "z"))
    assert samples_of([first, other], paired=False) == [first.values, second.values]
    known = stats.ttest_rel(first.values, second.values).confidence_interval(0.95)
    found = interval(samples_of([first, second], paired=False), 0.05)
    assert found[1:] == pytest.approx((known.low, known.high))


def test_trials_of_the_same_seeds_can_be_compared_seed_by_seed() -> None:
    """In whatever order they stand, and of seeds that both sides have."""
    first = Measured(arm="s/a", trial_ids=("p", "q"), seeds=(1, 2), values=(5.0, 7.0))
    second = Measured(arm="s/b", trial_ids=("x", "y", "z"), seeds=(3, 2, 1), values=(0.0, 6.5, 4.0))
    assert samples_of([first, second], paired=True) == [[1.0, 0.5]]
    claim = {"difference": ["s/a", "s/b"], "below": 0.0, "paired": True}
    scattered, lower = (1.0, 2.0, 3.0), (1.1, 2.1, 3.11)
    assert judge(study(claim), rows(a=scattered, b=lower))[0].verdict == "holds"
    apart = judge(study(claim | {"paired": False}), rows(a=scattered, b=lower))
    assert apart[0].verdict == "cannot tell"


def test_the_two_sides_can_be_of_different_rows() -> None:
    """Of the same trial even: what it scores on one text, and on another."""
    claim = {"difference": ["s/a", "s/a"], "above": 0.0, "table": "evaluations", "metric": "score",
             "where": {"section": "y"}, "where_second": {"section": "x"}}  # fmt: skip
    (found,) = judge(study(claim), rows(a=A))
    assert [arm.values for arm in found.arms] == [(0.7,), (pytest.approx(0.3),)]


def test_more_claims_make_wider_intervals() -> None:
    """All hold together, so each is at a stricter level; counted parameters are not among them."""
    one = {"difference": ["s/a", "s/b"], "below": 0.0}
    (alone,) = judge(study(one), rows(a=A, b=B))
    among = judge(study(one, one, one, {"preset": "mini-27m", "below": 1.0}), rows(a=A, b=B))
    assert alone.high is not None
    assert among[0].high == pytest.approx(interval([A, B], 0.05 / 3)[2])
    assert among[0].high > alone.high


def test_two_seeds_tell_nothing() -> None:
    """Also where there are three, of which one has no figure."""
    claim = {"difference": ["s/a", "s/b"], "below": 0.0}
    for some in ((1.0, 1.0), (1.0, 1.0, None), (1.0, 1.0, float("nan"))):
        (found,) = judge(study(claim), rows(a=some, b=B))
        assert found.verdict == "cannot tell"
        assert found.reason == "2 of at least 3 fresh seeds have the figure"


@pytest.mark.parametrize(("reduce", "known"), [("mean", 0.3), ("max", 0.4), ("min", 0.2)])
def test_scores_are_of_the_last_step_and_of_what_is_asked(reduce: str, known: float) -> None:
    """Of several rows that a trial has, one number."""
    claim = {"value": "s/a", "above": 0.0, "table": "evaluations", "metric": "score",
             "where": {"section": "x"}, "reduce": reduce}  # fmt: skip
    (found,) = judge(study(claim), rows(a=A))
    assert found.arms[0].values == (pytest.approx(known),)


def test_an_arm_can_be_of_an_earlier_rung() -> None:
    """Then its figures are those of the rung's report, or of what was asked there."""
    claim = {"value": "s/a@0", "above": 0.0, "metric": "score"}
    (found,) = judge(study(claim), rows(a=A))
    assert found.arms[0].values == (0.9,)


@pytest.mark.parametrize(
    "claim",
    [
        {"below": 0.0},
        {"difference": ["s/a", "s/b"], "value": "s/a", "below": 0.0},
        {"value": "s/a"},
        {"value": "s/a", "below": 0.0, "above": 0.0},
        {"value": "s/c", "below": 0.0},
        {"value": "t/a", "below": 0.0},
        {"preset": "gpt-9", "below": 0.0},
        {"value": "a", "below": 0.0},
        {"value": "s/a", "below": 0.0, "paired": True},
        {"value": "s/a", "below": 0.0, "where_second": {}},
    ],
)
def test_claims_that_nothing_could_decide_are_refused(claim: dict[str, Any]) -> None:
    """Without a bound, without an arm, or with two."""
    with pytest.raises(ValidationError):
        study(claim)


def test_profiles_are_laid_over_the_spec() -> None:
    """Section by section, and whole where it is said."""
    below = {"a": {"x": 1, "y": {"z": 2}}, "b": [1]}
    assert merged(below, {"a": {"y": {"w": 3}}, "b": [2]}) == {
        "a": {"x": 1, "y": {"z": 2, "w": 3}},
        "b": [2],
    }
    assert merged(below, {"a": {"y": {"replace": True, "w": 3}}})["a"] == {"x": 1, "y": {"w": 3}}
    assert merged({"a": [1]}, {"a": {"replace": True, "x": 1}}) == {"a": {"x": 1}}
    assert below == {"a": {"x": 1, "y": {"z": 2}}, "b": [1]}


def test_arms_are_of_a_claims_statistic() -> None:
    """A count of parameters has none."""
    assert Claim(name="", text="", preset="mini-27m", below=1.0).arms == ()
