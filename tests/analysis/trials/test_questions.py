from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.answer.before_after import before_after_sentence, before_after_table
from picosweep.analysis.answer.spend import spend_sentence, spend_table, wall_seconds
from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.trials.environment import environment_sentence, environment_table
from picosweep.analysis.trials.failures import failures_sentence, failures_table
from picosweep.analysis.trials.samples import quotes, samples_sentence, samples_table
from picosweep.analysis.trials.trial_table import trial_table_sentence, trials_table
from picosweep.pico.evaluation.diversity import repetition


def test_spending_counts_each_trial_once_and_cached_ones_nothing(results: Results) -> None:
    """Totals are those of the trials table, less what came from the store."""
    trials = results.trials.with_columns(
        status=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("cached")).otherwise("status")
    )
    table = spend_table(trials)
    assert table["trials"].sum() == trials.height
    assert table["tokens"].sum() == trials["tokens"][1:].sum()
    sentence = spend_sentence(table, wall_seconds(trials))
    assert sentence.startswith("60 trials: ")
    assert "1 cached" in sentence


def test_the_trial_table_starts_with_the_winner(results: Results) -> None:
    """Full-budget trials come first, in order of loss; all trials are there."""
    table = trials_table(results.trials, ["learning_rate"])
    assert table.height == results.trials.height
    assert table["val_loss"][0] == results.full_budget["val_loss"].min()
    assert "error" in table.columns
    assert "out of memory" in trial_table_sentence(results.trials)


def test_failures_are_grouped_with_an_example(results: Results) -> None:
    """Diverged and failed trials each have a row with a trial to look at."""
    table = failures_table(results.trials)
    counts = dict(table.group_by("happened").agg(pl.col("trials").sum()).iter_rows())
    assert counts == {"diverged": 3, "failed": 1}
    assert set(table["trial_id"]) <= set(results.trials["trial_id"])
    assert "3 trials diverged and 1 trial failed" in failures_sentence(table, results.trials)


def test_the_store_is_thanked() -> None:
    """Cache hits are counted and their source named."""
    trials = pl.DataFrame(
        {"trial_id": ["a"], "architecture": ["k"], "status": ["cached"], "error": [None],
         "num_attempts": [0], "source_sweep": ["before"]},
        schema_overrides={"error": pl.String},
    )  # fmt: skip
    sentence = failures_sentence(failures_table(trials), trials)
    assert "1 trial came from the store without training (from before)" in sentence


def test_every_leaf_of_the_environment_is_a_row() -> None:
    """Nested keys are dotted, lists are joined, nothing is lost."""
    table = environment_table({"s": {"cpu": {"cores": 2}, "gpus": ["a", "b"], "none": None}}, {})
    assert dict(table.select("key", "content").iter_rows()) == {"cpu.cores": "2", "gpus": "a, b"}


def test_the_environment_says_which_files_were_left_out(results: Results) -> None:
    """What the sweep recorded of its files stands behind the machines; older sweeps have none."""
    told = "From 'code' was read: 2 .py; left out: 1 .cpp (empty; such as a.cpp)."
    read = replace(results, data={"a": {"reading": [told]}, "old": {}})
    assert environment_sentence(read) == f"{environment_sentence(results)} {told}"


def test_samples_are_the_best_trials(results: Results) -> None:
    """One sample an architecture, rung, decoder and prompt: the one of least loss."""
    table = samples_table(results.samples, results.trials)
    assert table.height == 8
    losses = results.trials.select("trial_id", "architecture", "val_loss")
    written = results.samples.select("trial_id").unique().join(losses, on="trial_id")
    best = written.sort("val_loss").unique("architecture", keep="first")["trial_id"]
    assert set(table["trial_id"]) == set(best)
    assert len(quotes(table)) == 8
    assert "8 samples" in samples_sentence(table)


def test_repetition_is_a_share() -> None:
    """Nothing repeats in a short text; a loop is almost all repetition."""
    assert repetition("a b") == 0
    assert repetition("a b c d") == 0
    assert repetition("a b c " * 30) > 0.95


def test_before_and_after_is_welchs_test() -> None:
    """Interval and verdict agree with scipy for unequal spreads."""
    generator = np.random.default_rng(0)
    before, after = generator.normal(3, 0.1, 6), generator.normal(2.8, 0.02, 4)
    whole = pl.DataFrame(
        {"sweep": ["one"] * 6 + ["two"] * 4, "architecture": ["a"] * 10,
         "cohort": ["confirm"] * 10, "val_loss": np.concatenate([before, after])}
    )  # fmt: skip
    table = before_after_table(whole, "one", "two")
    row = table.row(0, named=True)
    interval = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["verdict"] == "better"
    assert row["basis"] == "fresh seeds"
    sentence = before_after_sentence(table, "one", "two", METRICS["val_loss"])
    assert sentence.startswith(
        "From one to two the mean validation loss over fresh seeds changed: a −0.2"
    )
