import numpy as np
import polars as pl
import pytest
from scipy.optimize import curve_fit

from picosweep.analysis.curves.fit_quality import fit_quality_sentence, fit_quality_table
from picosweep.analysis.curves.norms import norms_sentence, norms_table
from picosweep.analysis.curves.ribbons import divergences_table, ribbons_sentence, ribbons_table
from picosweep.analysis.curves.scaling import (
    scaling_fits,
    scaling_points,
    scaling_sentence,
    scaling_table,
)
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.budgets import by_budget
from picosweep.analysis.statistics.power_law import fit_power_law


def test_ribbons_are_quantiles_of_who_got_that_far(results: Results) -> None:
    """At one budget the median is numpy's over the trials that reported there."""
    table = ribbons_table(results.reports)
    row = table.filter(architecture="lstm").row(0, named=True)
    own = results.reports.filter(architecture="lstm", tokens=int(row["tokens"]))["val_loss"]
    assert row["median"] == pytest.approx(np.median(own.to_numpy()))
    assert row["q90"] == pytest.approx(np.quantile(own.to_numpy(), 0.9))
    assert row["trials"] == own.len()


def test_diverged_trials_are_shown(results: Results) -> None:
    """Each one has a mark and is counted in the sentence."""
    table = divergences_table(results.trials, results.reports)
    assert table.height == results.trials.filter(status="diverged").height == 3
    sentence = ribbons_sentence(ribbons_table(results.reports), table, results.trials.height)
    assert sentence.startswith("3 trials diverged (5.0 %)")


def test_many_budgets_are_put_into_few_places() -> None:
    """Report positions that differ everywhere are rounded to forty places, in order."""
    tokens = np.unique(np.geomspace(100, 1e6, 500).astype(int))
    frame = by_budget(pl.DataFrame({"tokens": tokens, "trial_id": ["a"] * len(tokens)}))
    assert frame["at"].n_unique() <= 40
    assert frame["at"].is_sorted()
    assert (frame["at"] / frame["tokens"]).is_between(0.8, 1.25).all()


def curves(losses: dict[str, list[float]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trials and reports at 1, 2, 4, … thousand tokens."""
    reports = pl.DataFrame(
        [
            {"architecture": name, "trial_id": f"t-{name}", "tokens": 1000 * 2**index,
             "val_loss": loss, "train_loss": loss - 0.1}
            for name, own in losses.items()
            for index, loss in enumerate(own)
        ]
    )  # fmt: skip
    trials = reports.group_by("architecture", "trial_id").agg(pl.col("val_loss").last())
    return trials, reports


def test_over_and_underfitting_are_named() -> None:
    """Rising, falling and flat endings get their three names."""
    trials, reports = curves(
        {"over": [3.0, 2.0, 2.2], "under": [3.0, 2.5, 2.0], "flat": [3.0, 2.0, 1.999], "one": [2.0]}
    )
    table = fit_quality_table(trials, reports, "val_loss")
    named = dict(zip(table["architecture"], table["diagnosis"], strict=True))
    assert named == {
        "over": "overfitting", "under": "still learning", "flat": "levelled off",
        "one": "too few reports",
    }  # fmt: skip
    assert table["gap"].to_list() == pytest.approx([0.1] * 4)
    sentence = fit_quality_sentence(table)
    assert "trial of over overfits" in sentence
    assert "most for" in sentence


def test_norms_know_how_often_clipping_bit(results: Results) -> None:
    """The share in the sentence is counted over reports."""
    table = norms_table(results.reports)
    assert set(table["measure"]) == {"Gradient norm", "Largest gradient", "Weight norm"}
    frame = pl.DataFrame(
        {"architecture": ["a"] * 4, "trial_id": ["x"] * 4, "tokens": [1, 2, 3, 4],
         "grad_norm": [1.0, 2.0, 3.0, 4.0], "grad_norm_clipped": [1.0, 1.0, 1.0, 1.0]}
    )  # fmt: skip
    sentence = norms_sentence(frame)
    assert "clipped at 75 %" in sentence
    assert "gradient norm more than doubled in 100 %" in sentence


def test_a_learning_rate_that_stayed_does_not_rise() -> None:
    """Trials that go on have higher ones than those that were stopped; each is over its own."""
    frame = pl.DataFrame(
        {
            "architecture": ["a"] * 6,
            "trial_id": ["low", "low", "high", "high", "high", "high"],
            "tokens": [1000, 2000, 1000, 2000, 4000, 8000],
            "learning_rate": [1e-4, 1e-4, 1e-2, 1e-2, 1e-2, 1e-2],
            **dict.fromkeys(["grad_norm", "max_param_grad", "weight_norm"], 1.0),
        }
    )
    assert "Learning rate, of its peak" not in norms_table(frame)["measure"]
    decayed = frame.with_columns(
        learning_rate=pl.when(tokens=8000).then(1e-3).otherwise("learning_rate")
    )
    rates = norms_table(decayed).filter(measure="Learning rate, of its peak")
    assert rates["median"].to_list() == pytest.approx([1.0, 1.0, 1.0, 0.1])


def test_steps_of_two_sizes_are_one_place() -> None:
    """Neighbouring budgets of different trials merge; two reports of one trial never do."""
    frame = pl.DataFrame(
        {"trial_id": ["a", "b", "a", "b", "c", "c"], "tokens": [1000, 1024, 2000, 2048, 2040, 2100]}
    )
    assert by_budget(frame)["at"].to_list() == [1024, 1024, 2048, 2048, 2048, 2100]


def test_a_power_law_comes_back() -> None:
    """Exact data give the exact exponent, with or without a floor."""
    x = np.geomspace(1e3, 1e6, 12)
    plain = fit_power_law(x, 30 * x**-0.25)
    lifted = fit_power_law(x, 1.5 + 30 * x**-0.4)
    assert plain is not None
    assert lifted is not None
    assert plain.exponent == pytest.approx(0.25, rel=0.03)
    assert plain.floor == pytest.approx(0, abs=0.02)
    assert lifted.exponent == pytest.approx(0.4, rel=0.03)
    assert lifted.floor == pytest.approx(1.5, abs=0.02)


def test_the_fit_agrees_with_an_independent_one() -> None:
    """scipy's curve_fit finds the same law in noisy data."""
    generator = np.random.default_rng(0)
    x = np.geomspace(1e3, 1e6, 30)
    loss = 2.0 + 40 * x**-0.35 + 0.005 * generator.standard_normal(30)
    ours = fit_power_law(x, loss)
    assert ours is not None
    (floor, scale, exponent), _ = curve_fit(
        lambda z, e, a, b: e + a * z**-b, x / ours.centre, loss, p0=(1.0, 1.0, 0.5)
    )
    assert ours.exponent == pytest.approx(exponent, rel=0.03)
    assert ours.floor == pytest.approx(floor, abs=0.02)
    assert ours.scale == pytest.approx(scale, rel=0.03)
    low, high = ours.interval()
    assert low < exponent < high


def test_nothing_is_said_beyond_the_data() -> None:
    """Asking for a larger model is an error that names the range."""
    x = np.geomspace(1e3, 1e5, 8)
    fit = fit_power_law(x, 5 * x**-0.1)
    assert fit is not None
    middle, low, high = fit.predict(x)
    assert fit.is_pinned_down
    assert (low <= middle + 1e-9).all()
    assert (middle <= high + 1e-9).all()
    with pytest.raises(ValueError, match="covers 1000 to 100000"):
        fit.predict(np.array([2e5]))


def test_few_points_or_a_narrow_range_are_not_enough() -> None:
    """Four sizes, or sizes within a factor of four, get no law and a sentence that says so."""
    assert fit_power_law(np.geomspace(1, 100, 4), np.ones(4)) is None
    assert fit_power_law(np.geomspace(1, 3, 9), np.ones(9)) is None
    points = pl.DataFrame({"architecture": ["a"] * 2, "x": [1.0, 9.0], "loss": [2.0, 1.0]})
    fits = scaling_fits(points)
    assert scaling_table(fits)["exponent"].to_list() == [None]
    assert "Not enough points for a" in scaling_sentence(fits, "num_params")


@pytest.mark.parametrize("floor", [0.0, 2.0])
@pytest.mark.parametrize("number", [5, 8])
def test_the_exponents_interval_covers_the_truth_as_often_as_it_says(
    number: int, floor: float
) -> None:
    """With a floor in the truth or none, from five sizes on, and so does the loss at the end."""
    generator = np.random.default_rng(0)
    x = np.geomspace(1e4, 1e6, number)
    truth = floor + 3 * (x / 1e5) ** -0.2
    held, ends = [], []
    for _ in range(150):
        fit = fit_power_law(x, truth + 0.01 * generator.standard_normal(number))
        assert fit is not None
        low, high = fit.interval()
        held.append(low <= 0.2 <= high)
        _, least, most = fit.predict(x[-1:])
        ends.append(least[0] <= truth[-1] <= most[0])
    assert 0.9 < np.mean(held) < 0.99
    assert 0.9 < np.mean(ends) <= 1


def test_points_that_do_not_pin_an_exponent_down_get_none() -> None:
    """Noise as large as the fall leaves the interval open or wide, and the sentence says so."""
    x = np.geomspace(1e4, 1e6, 6)
    loss = 2 + 0.02 * (x / 1e5) ** -0.2 + 0.01 * np.random.default_rng(3).standard_normal(6)
    points = pl.DataFrame({"architecture": ["a"] * 6, "x": x, "loss": loss})
    fits = scaling_fits(points)
    fit = fits[0][1]
    assert fit is not None
    assert not fit.is_pinned_down
    sentence = scaling_sentence(fits, "num_params")
    assert sentence.startswith("The points do not pin down an exponent against parameters for a (")


def test_a_doubling_is_a_doubling() -> None:
    """Where reports lie three times apart, what the last step took off is scaled to one."""
    reports = pl.DataFrame(
        {"architecture": ["a"] * 2, "trial_id": ["t"] * 2, "tokens": [1000, 3000],
         "val_loss": [2.0, 2.0 * 0.985], "train_loss": [2.0, 2.0]}
    )  # fmt: skip
    trials = reports.tail(1).select("architecture", "trial_id", "val_loss")
    table = fit_quality_table(trials, reports, "val_loss")
    assert table["gain"][0] == pytest.approx(1 - 0.985 ** (1 / np.log2(3)))
    assert table["diagnosis"].to_list() == ["levelled off"]


def test_points_are_the_best_of_each_size(results: Results) -> None:
    """One point a parameter count, its least loss; compute's frontier only falls."""
    sizes = scaling_points(results, "num_params")
    best = results.full_budget.group_by("architecture", x="num_params").agg(
        pl.col("val_loss").min()
    )
    assert sizes.height == best.height
    assert sizes["loss"].sum() == pytest.approx(best["val_loss"].sum())
    compute = scaling_points(results, "flops")
    falling = compute.select((pl.col("loss").diff().over("architecture") <= 0).drop_nulls().all())
    assert falling.item()
