import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.answer.headline import headline_sentence, headline_table
from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.statistics.seeds import seed_noise, settings_table


def trials(rows: list[tuple[str, int, str, float]]) -> pl.DataFrame:
    """Full-budget trials from (architecture, width, cohort, loss)."""
    return pl.DataFrame(
        [
            {
                "architecture": name, "width": width, "cohort": cohort, "val_loss": loss,
                "trial_id": f"t{index}", "num_params": 10 * width, "flops": 1e9, "seconds": 1.0,
                "bits_per_byte": loss / 2,
            }
            for index, (name, width, cohort, loss) in enumerate(rows)
        ]
    )  # fmt: skip


TWO = trials(
    [
        ("a", 1, "searched", 2.00), ("a", 1, "confirm", 2.10), ("a", 1, "confirm", 2.12),
        ("a", 1, "confirm", 2.14), ("a", 2, "searched", 1.90),
        ("b", 1, "searched", 2.30), ("b", 1, "confirm", 2.30), ("b", 1, "confirm", 2.32),
        ("b", 1, "confirm", 2.34),
    ]
)  # fmt: skip


def test_fresh_seeds_decide_not_the_lucky_search() -> None:
    """The mean over fresh seeds stands for the setting; an unconfirmed lower loss does not win."""
    table = headline_table(TWO, ["width"])
    assert table["architecture"].to_list() == ["a", "b"]
    assert table["mean"].to_list() == pytest.approx([2.12, 2.32])
    assert table["seeds"].to_list() == [3, 3]
    assert table["setting"][0] == "width 1"


def test_intervals_use_the_pooled_seed_noise() -> None:
    """Half-widths are Student's quantile at the pooled degrees of freedom times the error."""
    noise, degrees = seed_noise(settings_table(TWO, ["width"], "val_loss"))
    assert (noise, degrees) == (pytest.approx(0.02), 4)
    table = headline_table(TWO, ["width"])
    margin = stats.t.ppf(0.975, 4) * 0.02 / math.sqrt(3)
    assert table["margin"].to_list() == pytest.approx([margin, margin])
    assert table["gap_high"][1] - table["gap"][1] == pytest.approx(margin * math.sqrt(2))


def test_a_gap_agrees_with_the_textbook_t_test() -> None:
    """With equal seeds and two settings the verdict is the pooled two-sample t test's."""
    generator = np.random.default_rng(0)
    for shift in (0.0, 0.02, 0.05, 0.2):
        first, second = generator.normal(2, 0.02, 4), generator.normal(2 + shift, 0.02, 4)
        if first.mean() > second.mean():
            first, second = second, first
        frame = trials(
            [("a", 1, "confirm", x) for x in first] + [("b", 1, "confirm", x) for x in second]
        )
        p_value = stats.ttest_ind(first, second).pvalue
        verdict = headline_table(frame, ["width"])["verdict"][1]
        assert verdict == ("worse" if p_value < 0.05 else "within noise")


def test_no_fresh_seeds_means_no_verdict() -> None:
    """Single trials give an order, no interval, and honest words."""
    frame = trials([("a", 1, "searched", 2.0), ("b", 1, "searched", 2.5)])
    table = headline_table(frame, ["width"])
    assert table["verdict"].to_list() == ["best", "unknown"]
    assert table["low"].null_count() == 2
    sentence = headline_sentence(table, METRICS["val_loss"], (math.nan, 0))
    assert "single searched trial" in sentence
    assert "nobody can say" in sentence


def test_noise_is_called_noise() -> None:
    """A gap smaller than its error is not a win."""
    frame = trials(
        [("a", 1, "confirm", x) for x in (2.0, 2.1)]
        + [("b", 1, "confirm", x) for x in (2.01, 2.13)]
    )
    table = headline_table(frame, ["width"])
    noise = seed_noise(settings_table(frame, ["width"], "val_loss"))
    assert "cannot be told apart" in headline_sentence(table, METRICS["val_loss"], noise)


def test_settings_that_an_architecture_lacks_do_not_split_it(results: Results) -> None:
    """Nulls of other architectures' settings group with themselves."""
    settings = sorted({name for names in results.hyperparameters.values() for name in names})
    table = headline_table(results.full_budget, settings)
    assert table.height == 4
    assert table["seeds"].to_list() == [3, 3, 3, 3]
    assert "hidden_size" not in table.filter(architecture="kgram")["setting"][0]


def test_nothing_finished() -> None:
    """An empty table says so."""
    table = headline_table(TWO.clear(), ["width"])
    assert table.is_empty()
    assert "no architecture has won" in headline_sentence(table, METRICS["val_loss"], (0.0, 0))
