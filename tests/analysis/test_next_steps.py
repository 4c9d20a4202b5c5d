"""What to run next: each step answers an open question, and its cost is that of this sweep."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from picosweep.analysis.next_steps import NextStep, next_steps, wider
from picosweep.analysis.results import Results

SPEC: dict[str, Any] = {
    "search": {"trials_per_architecture": 12, "sampler": "random"},
    "early_stopping": {"scheduler": "asha", "exempt_fraction": 0.1},
    "confirm": {"top": 1, "seeds": 3},
    "common": {"learning_rate": {"log_uniform": [1e-4, 1e-2]}},
    "architectures": {"kgram": {}, "lstm": {}, "transformer": {}, "linear_transformer": {}},
}


def steps(results: Results, **sections: dict[str, Any]) -> list[NextStep]:
    """The steps of the handmade sweep under a spec."""
    spec = SPEC | {name: SPEC[name] | section for name, section in sections.items()}
    return list(next_steps(replace(results, specs={results.sweeps[0]: spec})))


def keys(found: list[NextStep]) -> list[tuple[str, ...]]:
    """What the first change of each step is about."""
    return [step.changes[0].key for step in found]


def test_steps_follow_from_what_the_tests_did_not_show(results: Results) -> None:
    """No architecture's settings are shown, and seven exempt trials judge nothing; seeds do."""
    found = steps(results)
    assert keys(found) == [
        ("search", "trials_per_architecture"), ("early_stopping", "exempt_fraction"),
    ]  # fmt: skip
    more, exempt = found
    assert "Which settings of linear_transformer matter" in more.why
    change = more.changes[0]
    assert change.before == 12
    assert f"mostly shows with {change.after} trials" in more.why
    searched = results.trials.filter(
        (pl.col("cohort") != "confirm") & ~pl.col("status").is_in(["failed", "running"])
    )
    assert more.trials == 4 * (change.after - 12)
    assert more.tokens == pytest.approx(more.trials * searched["tokens"].mean())
    assert exempt.trials == 0
    assert "trial" not in exempt.cost()
    assert exempt.changes[0].after == pytest.approx(0.43)


def test_seeds_are_asked_for_where_they_lack(results: Results) -> None:
    """None at all, two that share their noise, or as many as would tell two settings apart."""
    unsure = steps(results, confirm={"top": 0})
    assert ("confirm", "top") in keys(unsure)
    two = next(
        step for step in steps(results, confirm={"seeds": 2}) if "seeds" in step.changes[0].key
    )
    assert (two.changes[0].before, two.changes[0].after, two.trials) == (2, 3, 4)
    fresh = pl.col("cohort") == "confirm"
    first, second = (
        pl.col("val_loss").filter(fresh & (pl.col("architecture") == name)).mean()
        for name in ("transformer", "linear_transformer")
    )
    moved = fresh & (pl.col("architecture") == "linear_transformer")
    loss = pl.when(moved).then(pl.col("val_loss") - second + first + 0.02).otherwise("val_loss")
    close = replace(results, trials=results.trials.with_columns(val_loss=loss))
    (more,) = [s for s in steps(close) if "seeds" in s.changes[0].key]
    assert "Which of the best settings of transformer and linear_transformer is better" in more.why
    assert more.changes[0].after > 3
    assert more.trials == 4 * (more.changes[0].after - 3)


def test_an_edge_that_the_best_crowd_is_moved(results: Results) -> None:
    """The range goes on beyond it in that architecture's own section, with trials to search it."""
    place = pl.int_range(pl.len()).over("architecture")
    rate = pl.when(place >= 9).then(1e-2).otherwise(1e-4 * (1 + place / 100))
    crowded = results.trials.with_columns(learning_rate=rate)
    ends = results.reports.join(
        crowded.select("trial_id", "learning_rate"), on="trial_id", suffix="_set"
    ).with_columns(val_loss=9 - pl.col("learning_rate_set") * 1e4)
    moved = replace(
        results, trials=crowded, specs={results.sweeps[0]: SPEC},
        reports=ends.select(results.reports.columns),
    )  # fmt: skip
    found = [step for step in next_steps(moved) if step.changes[0].key[0] == "architectures"]
    assert found
    change, search = found[0].changes
    assert change.key[2] == "learning_rate"
    assert change.after == {"log_uniform": [1e-4, 0.1]}
    assert "beyond the upper end of learning_rate" in found[0].why
    assert search.after == 18


@pytest.mark.parametrize(
    ("space", "end", "expected"),
    [
        ({"log_uniform": [1e-3, 1e-1]}, "upper", {"log_uniform": [1e-3, 1.0]}),
        ({"log_uniform": [1e-3, 1e-1]}, "lower", {"log_uniform": [1e-4, 1e-1]}),
        ({"uniform": [0.0, 0.4]}, "upper", {"uniform": [0.0, 0.6]}),
        ({"uniform": [0.0, 0.4]}, "lower", None),
        ({"uniform": [0.1, 0.4]}, "lower", {"uniform": [0.05, 0.4]}),
        ({"uniform": [-1.0, 1.0]}, "lower", {"uniform": [-2.0, 1.0]}),
        ({"int_uniform": [1, 4]}, "upper", {"int_uniform": [1, 6]}),
        ({"int_uniform": [1, 4]}, "lower", None),
        ({"uniform": [0.0, 0.4], "step": 0.1}, "upper", None),
        (
            {"log_uniform": [1, 4], "when": "a == 1"},
            "upper",
            {"log_uniform": [1, 8], "when": "a == 1"},
        ),
        ([32, 64, 128], "upper", [32, 64, 128, 256]),
        ([32, 64, 128], "lower", [16, 32, 64, 128]),
        ([10, 11, 12], "upper", [10, 11, 12, 13]),
        ([1, 2, 3], "lower", None),
        (["relu", "gelu"], "upper", None),
        ([True, False], "upper", None),
        (64, "upper", None),
        (None, "upper", None),
    ],
)
def test_a_range_goes_on_as_it_is_made(space: object, end: str, expected: object) -> None:
    """By half of its width, or by one more of a list; never from above zero to below it."""
    assert wider(space, end) == expected


def test_several_sweeps_or_none_have_no_next_step(results: Results) -> None:
    """A step is a change of one spec."""
    assert next_steps(replace(results, specs={})) == ()
