import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.equal_cost.best_so_far import best_so_far_sentence, best_so_far_table
from picosweep.analysis.equal_cost.expected_best import (
    expected_best,
    expected_best_table,
    population,
)
from picosweep.analysis.equal_cost.improvement import improvement_sentence, improvement_table
from picosweep.analysis.equal_cost.learning_curves import (
    equal_cost_table,
    learning_curves_sentence,
    learning_curves_table,
)
from picosweep.analysis.results import METRICS, Results


def reports(rows: list[tuple[str, str, int, float]]) -> pl.DataFrame:
    """Reports from (architecture, trial_id, tokens, loss)."""
    return pl.DataFrame(
        [
            {"architecture": name, "trial_id": trial, "tokens": tokens, "flops": 6.0 * tokens,
             "seconds": tokens / 100, "val_loss": loss}
            for name, trial, tokens, loss in rows
        ]
    )  # fmt: skip


def test_equal_cost_is_what_all_could_afford() -> None:
    """What one architecture alone spent beyond the others' reach does not count."""
    frame = reports(
        [("a", "t0", 10, 3.0), ("a", "t0", 90, 1.0), ("b", "t1", 10, 2.9), ("b", "t1", 30, 2.5)]
    )
    table = equal_cost_table(frame, "tokens")
    assert table["architecture"].to_list() == ["b", "a"]
    assert table["loss"].to_list() == [2.5, 3.0]
    assert "at most 30 training tokens" in learning_curves_sentence(
        table, "tokens", METRICS["val_loss"]
    )


def test_the_best_curve_is_the_lowest_of_the_longest() -> None:
    """A stopped trial with a low early loss is not the best trial."""
    frame = reports([("a", "short", 10, 1.0), ("a", "long", 10, 3.0), ("a", "long", 90, 2.0)])
    table = learning_curves_table(frame)
    assert table.filter("best")["trial_id"].unique().to_list() == ["long"]
    assert table.height == 3


def test_long_curves_keep_their_ends() -> None:
    """Thinning drops points in between, never the first or the last."""
    frame = reports([("a", "t0", tokens, 1 / tokens) for tokens in range(1, 1001)])
    table = learning_curves_table(frame)
    assert table.height <= 60
    assert table["tokens"].min() == 1
    assert table["tokens"].max() == 1000


def test_best_so_far_never_rises_and_ends_at_the_best() -> None:
    """Spending more cannot hurt; the band holds the median."""
    generator = np.random.default_rng(1)
    frame = pl.DataFrame(
        {"architecture": ["a"] * 30, "tokens": [100] * 30, "val_loss": generator.random(30)}
    )
    table = best_so_far_table(frame, "tokens", "val_loss")
    assert (table["median"].diff().drop_nulls() <= 0).all()
    assert (table["low"] <= table["median"]).all()
    assert (table["median"] <= table["high"]).all()
    assert "Median best validation loss" in best_so_far_sentence(
        table, "tokens", METRICS["val_loss"]
    )


def test_searches_are_compared_at_exactly_what_the_shortest_spent() -> None:
    """Four trials' worth buys four draws of the longer search, not the three of a point before."""
    frame = pl.DataFrame(
        {
            "architecture": ["short"] * 4 + ["long"] * 11,
            "tokens": [100] * 15,
            "val_loss": [3.0] * 4 + [1.0] * 2 + [2.0] * 9,
        }
    )  # of four draws 55 % hold a loss of 1, of three 45 %
    table = best_so_far_table(frame, "tokens", "val_loss")
    at = table.filter(architecture="long", tokens=400)
    assert at["median"].to_list() == [1.0]
    sentence = best_so_far_sentence(table, "tokens", METRICS["val_loss"])
    assert "spent 400 tokens: long 1.000" in sentence


def test_diverged_trials_cost_and_find_nothing() -> None:
    """Half the money lost on diverged trials halves the pace."""
    frame = pl.DataFrame(
        {"architecture": ["a"] * 10, "tokens": [100] * 10, "val_loss": [1.0] * 5 + [None] * 5}
    )
    table = best_so_far_table(frame, "tokens", "val_loss")
    first = table["tokens"][0]
    assert first > 300  # until then more than a tenth of the searches have found nothing
    assert table["median"].unique().to_list() == [1.0]


def test_expected_best_is_the_mean_over_all_subsets() -> None:
    """The closed form agrees with listing every subset."""
    losses = np.random.default_rng(0).random(7)
    for n in range(1, 8):
        listed = np.mean([min(subset) for subset in itertools.combinations(losses, n)])
        assert expected_best(losses, np.array([n]))[0] == pytest.approx(listed)


def test_expected_best_of_a_known_law() -> None:
    """The best of n uniform losses is expected at 1 / (n + 1)."""
    losses = (np.arange(4000) + 0.5) / 4000
    n = np.array([1, 2, 5, 20])
    assert expected_best(losses, n) == pytest.approx(1 / (n + 1), abs=2e-3)


def test_the_band_covers_the_truth_about_as_often_as_it_says() -> None:
    """Over many made-up sweeps the 95 % band at n up to N/3 holds the true expectation."""
    generator = np.random.default_rng(0)
    hits = []
    for seed in range(60):
        frame = pl.DataFrame(
            {"architecture": ["a"] * 20, "trial_id": [f"{i:02d}" for i in range(20)],
             "val_loss": generator.random(20)}
        )  # fmt: skip
        table = expected_best_table(frame, "val_loss", seed).drop_nulls()
        truth = 1 / (table["n"] + 1)
        hits.append(((table["low"] <= truth) & (truth <= table["high"])).to_numpy())
    assert np.mean(hits) > 0.85


def test_exempt_trials_are_preferred_when_there_are_enough(results: Results) -> None:
    """With two exempt trials an architecture all full-budget trials must serve, and say so."""
    trials, whose = population(results)
    assert set(trials["cohort"]) == {"searched", "exempt"}
    assert "flatter" in whose


def test_improvement_agrees_with_mann_and_whitney() -> None:
    """The probability is the U statistic over the number of pairs."""
    generator = np.random.default_rng(2)
    own, theirs = generator.normal(0, 1, 12).round(1), generator.normal(0.5, 1, 9).round(1)
    frame = pl.DataFrame(
        {"architecture": ["a"] * 12 + ["b"] * 9, "val_loss": np.concatenate([own, theirs])}
    )
    table = improvement_table(frame, "val_loss")
    row = table.row(0, named=True)
    expected = stats.mannwhitneyu(theirs, own).statistic / (12 * 9)
    assert row["probability"] == pytest.approx(expected)
    assert row["low"] < expected < row["high"]
    assert table["probability"].sum() == pytest.approx(1.0)
    p_value = stats.brunnermunzel(own, theirs).pvalue
    assert (row["low"] > 0.5 or row["high"] < 0.5) == (p_value < 0.05)


def test_no_overlap_has_no_interval() -> None:
    """When one architecture always wins nothing estimates the width, and one alone has no pair."""
    frame = pl.DataFrame({"architecture": ["a", "a", "b", "b"], "val_loss": [1.0, 1.1, 2.0, 2.1]})
    table = improvement_table(frame, "val_loss")
    assert table["probability"].to_list() == [1.0, 0.0]
    assert table["low"].null_count() == 2
    alone = improvement_table(frame.filter(architecture="a"), "val_loss")
    assert "nothing to compare" in improvement_sentence(alone)
