import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.answer.answer import verdict
from picosweep.analysis.answer.headline import headline_sentence, headline_table
from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.statistics.search_luck import Lead
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


def test_intervals_use_a_settings_own_noise_where_it_is_known() -> None:
    """From three seeds on; they hold for both settings at once, by Bonferroni's quantile."""
    noise, degrees = seed_noise(settings_table(TWO, ["width"], "val_loss"))
    assert (noise, degrees) == (pytest.approx(0.02), 4)
    table = headline_table(TWO, ["width"])
    margin = stats.t.ppf(1 - 0.025 / 2, 2) * 0.02 / math.sqrt(3)
    assert table["margin"].to_list() == pytest.approx([margin, margin])
    welch = stats.t.ppf(0.975, 4) * 0.02 * math.sqrt(2 / 3)
    assert table["gap_high"][1] - table["gap"][1] == pytest.approx(welch, rel=1e-3)


def test_two_seeds_borrow_the_others_noise() -> None:
    """With two seeds the deviation is pooled; with several settings a gap must be larger."""
    rows = [("a", 1, 2.00), ("b", 1, 2.10), ("c", 1, 2.30)]
    frame = trials(
        [(name, width, "confirm", loss + d) for name, width, loss in rows for d in (-0.01, 0.01)]
    )
    table = headline_table(frame, ["width"])
    sd, degrees = math.sqrt(2) * 0.01, 3
    margin = stats.t.ppf(1 - 0.025 / 3, degrees) * sd / math.sqrt(2)
    assert table["margin"].to_list() == pytest.approx([margin] * 3)
    tukey = stats.tukey_hsd(*(frame.filter(architecture=name)["val_loss"] for name, _, _ in rows))
    high = tukey.confidence_interval(0.95).high
    assert table["gap_high"][1] == pytest.approx(high[1, 0], abs=1e-4)
    assert table["gap_high"][2] == pytest.approx(high[2, 0], abs=1e-4)


def test_a_gap_agrees_with_the_textbook_t_test() -> None:
    """With two settings of many seeds the verdict is that of Welch's two-sample t test."""
    generator = np.random.default_rng(0)
    for shift in (0.0, 0.02, 0.05, 0.2):
        first, second = generator.normal(2, 0.02, 4), generator.normal(2 + shift, 0.02, 4)
        if first.mean() > second.mean():
            first, second = second, first
        frame = trials(
            [("a", 1, "confirm", x) for x in first] + [("b", 1, "confirm", x) for x in second]
        )
        p_value = stats.ttest_ind(first, second, equal_var=False).pvalue
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


def test_what_cannot_be_told_apart_says_how_many_seeds_would() -> None:
    """So many seeds tell the gap apart in 4 of 5 sweeps, were it the true one."""
    generator = np.random.default_rng(0)

    def sweep(seeds: int) -> pl.DataFrame:
        pairs = [("a", 2.0), ("b", 2.02)]
        return headline_table(
            trials(
                [
                    (name, 1, "confirm", loss + 0.02 * generator.standard_normal())
                    for name, loss in pairs
                    for _ in range(seeds)
                ]
            ),
            ["width"],
        )

    rows = [(name, 1, "confirm", loss + d) for name, loss in (("a", 2.0), ("b", 2.02))
            for d in (-0.02, 0.0, 0.02)]  # fmt: skip
    table = headline_table(trials(rows), ["width"])
    assert table["verdict"][1] == "within noise"
    needed = table["seeds_needed"][1]
    assert f"about {needed} fresh seeds of each would tell" in headline_sentence(
        table, METRICS["val_loss"], (0.02, 4)
    )
    told = [sweep(needed)["verdict"][1] == "worse" for _ in range(60)]
    assert 0.65 < np.mean(told) < 0.97


def test_settings_that_an_architecture_lacks_do_not_split_it(results: Results) -> None:
    """Nulls of other architectures' settings group with themselves."""
    settings = results.setting_names
    table = headline_table(results.full_budget, settings)
    assert table.height == 4
    assert table["seeds"].to_list() == [3, 3, 3, 3]
    assert "hidden_size" not in table.filter(architecture="kgram")["setting"][0]


def test_nothing_finished() -> None:
    """An empty table says so."""
    table = headline_table(TWO.clear(), ["width"])
    assert table.is_empty()
    assert "no architecture has won" in headline_sentence(table, METRICS["val_loss"], (0.0, 0))


@pytest.mark.parametrize(
    ("share", "verdicts", "first", "sentence"),
    [
        (0.01, ["best", "worse"], "a wins", "hardly the luck of the search: the 3 best of 9"),
        (0.30, ["best", "worse"], "No architecture is shown to be better", "30 % of all deals"),
        (None, ["best", "worse"], "No architecture is shown to be better", "cannot be told"),
        (0.01, ["best", "within noise"], "a and b cannot be told apart", "hardly the luck"),
        (0.01, ["best", "unknown"], "a leads", "nobody can say"),
    ],
)
def test_the_first_line_speaks_of_what_is_known(
    share: float | None, verdicts: list[str], first: str, sentence: str
) -> None:
    """Of architectures only where neither seeds nor the search explain the lead."""
    lead = None if share is None else Lead(trials=3, searched=9, share=share, own=4, groups=3)
    table = headline_table(TWO, ["width"]).with_columns(verdict=pl.Series(verdicts))
    assert verdict(table, lead) == first
    assert sentence in headline_sentence(table, METRICS["val_loss"], (0.02, 4), lead)
    assert "The best setting found is one of a" in headline_sentence(
        table, METRICS["val_loss"], (0.02, 4), lead
    )
