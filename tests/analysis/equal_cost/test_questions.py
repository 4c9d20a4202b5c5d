from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.equal_cost.best_so_far import best_so_far_sentence, best_so_far_table
from picosweep.analysis.equal_cost.expected_best import (
    expected_best_sentence,
    expected_best_table,
)
from picosweep.analysis.equal_cost.improvement import (
    improvement_sentence,
    improvement_table,
    newcombe,
)
from picosweep.analysis.equal_cost.learning_curves import (
    equal_cost_table,
    learning_curves_sentence,
    learning_curves_table,
)
from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.statistics.draws import random_draws


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


def losses(values: list[float] | np.ndarray, name: str = "a") -> pl.DataFrame:
    """Random draws of one architecture, all of which finished."""
    return pl.DataFrame(
        {"architecture": [name] * len(values), "trial_id": [f"{i:04d}" for i in range(len(values))],
         "status": ["completed"] * len(values), "rung": [2] * len(values), "val_loss": values}
    )  # fmt: skip


def test_the_median_best_of_a_known_law() -> None:
    """The best of n uniform losses has its median at 1 - 2^(-1/n)."""
    table = expected_best_table(losses((np.arange(4000) + 0.5) / 4000), "val_loss", 2)
    assert table["n"].max() == 100
    assert table["median"].to_numpy() == pytest.approx(
        1 - 0.5 ** (1 / table["n"].to_numpy()), abs=1e-3
    )


@pytest.mark.parametrize("number", [6, 11, 40])
def test_the_band_covers_the_truth_as_often_as_it_says(number: int) -> None:
    """Over many made-up sweeps the 95 % interval holds the true median at every n that is told."""
    generator = np.random.default_rng(0)
    hits = []
    for _ in range(150):
        table = expected_best_table(losses(generator.exponential(size=number)), "val_loss", 2)
        assert table["n"].to_list() == list(range(1, int(number / 5.3) + 1))
        truth = np.log(2) / table["n"]
        hits.append(((table["low"] <= truth) & (truth <= table["high"])).to_numpy())
    assert np.mean(hits, axis=0).min() > 0.92


def test_a_stopped_trial_is_worse_than_all_that_finished() -> None:
    """Of what ends before the last rung nothing is known but that; bounds end where it begins."""
    frame = losses([float(value) for value in range(1, 25)])
    is_stopped = pl.col("val_loss") > 16
    stopped = frame.with_columns(
        status=pl.when(is_stopped).then(pl.lit("stopped")).otherwise("status"),
        rung=pl.when(is_stopped).then(0).otherwise("rung"),
    )
    whole, cut = (expected_best_table(one, "val_loss", 2) for one in (frame, stopped))
    assert whole["n"].to_list() == [1, 2, 3, 4]
    assert cut["n"].to_list() == [1, 2, 3, 4]
    assert cut["median"].equals(whole["median"])
    assert cut["high"].to_list() == [None, *whole["high"][1:]]
    assert cut["finished"].unique().to_list() == [16]
    told = expected_best_sentence(cut.filter(n=1), ["a", "b"], METRICS["val_loss"])
    assert told == (
        "The median validation loss of a single trial, at 95 %: a 12.500 (7.000 to more). Of b too "
        "few random draws ran to the end."
    )
    few = expected_best_table(frame.head(5), "val_loss", 2)
    assert "Too few random draws" in expected_best_sentence(few, ["a"], METRICS["val_loss"])


def test_an_adaptive_samplers_start_is_all_that_was_drawn(results: Results) -> None:
    """Of TPE's trials the first count, less those that the spec put in front; of random all do."""

    def drawn(search: dict[str, object] | None) -> pl.DataFrame:
        spec = {"search": search} if search else {}
        found = random_draws(replace(results, specs={results.sweeps[0]: spec})).trials
        assert found.filter(pl.col("cohort") == "confirm").is_empty()
        return found.group_by("architecture").len().sort("architecture")

    everything = drawn({"sampler": "random"})
    assert everything.equals(drawn(None))
    started = {"sampler": "tpe", "startup_trials": 5, "enqueue": {"lstm": [{}, {}]}}
    assert drawn(started)["len"].to_list() == [5, 5, 3, 5]
    assert drawn({"sampler": "grid", "startup_trials": 5}).is_empty()
    note = random_draws(replace(results, specs={results.sweeps[0]: {"search": started}})).whose
    assert "which it drew at random" in note


def pairs(own: list[float] | np.ndarray, theirs: list[float] | np.ndarray) -> pl.DataFrame:
    """Draws of two architectures."""
    names = ["a"] * len(own) + ["b"] * len(theirs)
    return pl.DataFrame({"architecture": names, "loss": [*own, *theirs]})


def test_improvement_agrees_with_mann_and_whitney() -> None:
    """The probability is the U statistic over the number of pairs, and so is its p-value."""
    generator = np.random.default_rng(2)
    own, theirs = generator.normal(0, 1, 12), generator.normal(0.9, 1, 9)
    table = improvement_table(pairs(own, theirs))
    row = table.row(0, named=True)
    oracle = stats.mannwhitneyu(theirs, own, method="asymptotic", use_continuity=False)
    assert row["probability"] == pytest.approx(oracle.statistic / (12 * 9))
    assert row["adjusted"] == pytest.approx(oracle.pvalue)
    assert row["low"] < row["probability"] < row["high"]
    assert table["probability"].sum() == pytest.approx(1.0)
    assert table["low"][0] == pytest.approx(1 - table["high"][1])


def test_the_interval_of_improvement_is_newcombes() -> None:
    """Its ends are where the observed share lies 1.96 standard errors away, at 0 and 1 as well."""
    for probability, own, theirs in ((0.8, 10, 20), (1.0, 5, 5), (0.0, 9, 6)):
        low, high = newcombe(probability, own, theirs)
        for end in (low, high):
            n = (own + theirs) / 2 - 1
            spread = 1 + n * ((1 - end) / (2 - end) + end / (1 + end))
            error = np.sqrt(end * (1 - end) * spread / (own * theirs))
            inner = 0 < end < 1
            assert not inner or abs(probability - end) == pytest.approx(1.959964 * error, rel=1e-5)
    assert 0.6 < newcombe(1.0, 5, 5)[0] < 0.7
    assert newcombe(1.0, 5, 5)[1] == 1.0


def test_improvement_says_what_it_cannot_tell() -> None:
    """Four trials are too few, equals are not told apart, a diverged trial is worse than any."""
    few = improvement_table(pairs([1.0, 1.1, 1.2, 1.3], [2.0] * 9))
    assert "too few to say" in improvement_sentence(few)
    same = improvement_table(pairs([1.0, 3.0, 5.0, 7.0, 9.0], [2.0, 4.0, 6.0, 8.0, 10.0]))
    assert improvement_sentence(same).startswith("No architecture's trials are shown to be better")
    clear = improvement_table(pairs([*range(9)], [*range(20, 29)]))
    assert improvement_sentence(clear).startswith("A trial of a beats one of b with probability")
    lost = pairs([1.0] * 5, [2.0] * 5).with_columns(
        loss=pl.when(pl.col("architecture") == "a").then(None).otherwise("loss")
    )
    assert improvement_table(lost)["probability"].to_list() == [0.0, 1.0]
