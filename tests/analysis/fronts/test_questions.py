import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from picosweep.analysis.fronts import front_membership
from picosweep.analysis.fronts.front_membership import front_membership_table
from picosweep.analysis.fronts.hypervolume import hypervolume, hypervolume_table
from picosweep.analysis.fronts.pareto import pareto_sentence, pareto_table
from picosweep.analysis.fronts.points import differ, front_points
from picosweep.analysis.fronts.prices import PRICES
from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.statistics.seeds import SeedNoise

PARAMS, ACCURACY = PRICES[0], PRICES[1]


def frame(prices: list[float], losses: list[float], column: str = "num_params") -> pl.DataFrame:
    """Trials with one price each."""
    return pl.DataFrame(
        {
            "architecture": ["a"] * len(prices), "seeds": [0] * len(prices),
            "trial_id": [f"t{index:03d}" for index in range(len(prices))],
            column: prices, "val_loss": losses,
        }
    )  # fmt: skip


SMALL = st.integers(0, 5).map(float)


@settings(max_examples=60)
@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=9), st.booleans())
def test_a_front_is_who_nobody_beats(points: list[tuple[float, float]], maximize: bool) -> None:
    """The sorted scan agrees with comparing every trial to every other, ties included."""
    sign = -1 if maximize else 1
    prices, losses = [p for p, _ in points], [v for _, v in points]
    table = pareto_table(frame(prices, losses), "num_params", maximize=maximize)
    beaten = {
        index
        for (index, (p, v)), (q, w) in itertools.product(enumerate(points), points)
        if sign * q <= sign * p and w <= v and (sign * q < sign * p or w < v)
    }
    expected = {f"t{index:03d}" for index in range(len(points))} - {f"t{i:03d}" for i in beaten}
    assert set(table.filter("on_front")["trial_id"]) == expected


def test_a_front_is_no_hull() -> None:
    """A trial above the line between its neighbours is on the front all the same."""
    table = pareto_table(frame([1, 2, 3], [3.0, 2.9, 1.0]), "num_params")
    assert table["on_front"].to_list() == [True, True, True]


def test_the_sentence_names_the_trade() -> None:
    """Ends of the front, factor and gain are those of the table."""
    table = pareto_table(frame([10, 1000, 500], [3.0, 2.0, 2.5]), "num_params")
    sentence = pareto_sentence(table, PARAMS, METRICS["val_loss"])
    assert "3 of 3 settings at full budget" in sentence
    assert "100 times the price buys 1.00 less" in sentence


def test_a_setting_is_one_point_at_the_mean_of_its_fresh_seeds(results: Results) -> None:
    """Neither the lucky trial that was picked nor a lucky seed is on the front by itself."""
    points = front_points(results)
    fresh = results.full_budget.filter(cohort="confirm")
    assert fresh.height > points["seeds"].filter(points["seeds"] > 0).len()
    assert points["seeds"].sum() == fresh.height
    one = points.filter(pl.col("seeds") > 0).row(0, named=True)
    own = fresh.filter(architecture=one["architecture"])
    picked = results.full_budget.filter(trial_id=one["trial_id"])
    assert picked["cohort"].item() != "confirm"
    assert one["val_loss"] == pytest.approx(own["val_loss"].mean())
    assert points.height == results.full_budget.height - fresh.height


def test_loss_and_accuracy_disagree_only_beyond_what_seeds_explain() -> None:
    """Two settings that seeds alone may have put in two orders are not said to disagree."""
    both = frame([0.50, 0.40], [2.00, 1.90], "val_accuracy").with_columns(seeds=pl.lit(3))
    table = pareto_table(both, "val_accuracy", maximize=True)
    quiet, loud = SeedNoise(deviation=0.001, degrees=8), SeedNoise(deviation=0.1, degrees=8)
    known = pareto_sentence(table, ACCURACY, METRICS["val_loss"], (quiet, quiet))
    assert known.endswith("there the two disagree.")
    for noise in ((quiet, loud), (loud, quiet), None):
        told = pareto_sentence(table, ACCURACY, METRICS["val_loss"], noise)
        assert told.endswith("which seeds alone may explain.")
    assert not differ((1.0, 3), (2.0, 3), SeedNoise(deviation=0.0, degrees=0), 2)


def test_nobody_stays_on_a_front_whose_noise_is_unknown(results: Results) -> None:
    """Without fresh seeds there is a sentence about what it takes, and no share."""
    trials = results.trials.filter(pl.col("cohort") != "confirm")
    unconfirmed = Results(
        trials=trials, reports=results.reports, decisions=results.decisions, samples=results.samples
    )
    (panel,) = front_membership.figure(unconfirmed).panels
    assert panel.table is None
    assert "`confirm` in the spec" in panel.sentence


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12),
)
def test_hypervolume_agrees_with_counting_cells(points: list[tuple[float, float]]) -> None:
    """The area is that of the union of rectangles, cell by cell."""
    array = np.array(points)
    xs, ys = (np.unique(np.append(array[:, axis], 1.1)) for axis in (0, 1))
    area = 0.0
    for left, right in itertools.pairwise(xs):
        for low, high in itertools.pairwise(ys):
            if ((array[:, 0] <= left) & (array[:, 1] <= low)).any():
                area += (right - left) * (high - low)
    assert hypervolume(array, (1.1, 1.1)) == pytest.approx(area, abs=1e-12)


def test_hypervolume_agrees_with_moocore() -> None:
    """An independent library, where it is installed, gives the same area."""
    moocore = pytest.importorskip("moocore")
    points = np.random.default_rng(0).random((200, 2))
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(
        moocore.hypervolume(points, ref=[1.0, 1.0])
    )


def test_the_joint_front_dominates_at_least_what_each_does(results: Results) -> None:
    """No architecture's own share exceeds that of all together."""
    table = hypervolume_table(results.full_budget, "val_loss")
    shares = table.pivot(on="architecture", index="price", values="share")
    for name in results.architectures:
        assert (shares[name] <= shares["all"] + 1e-12).all()


def test_membership_is_certain_without_noise_or_rivals() -> None:
    """A trial that is best in both is on the front of every redraw that holds it."""
    table = front_membership_table(frame([1, 2, 3], [1.0, 2.0, 3.0]), PARAMS, "val_loss")
    assert table["trial_id"][0] == "t000"
    assert table["membership"][0] == 1.0
    # The others are there when t000 was not drawn: at most (2/3)^3 of redraws, given themselves.
    assert (table["membership"][1:] < 0.5).all()


def test_noise_makes_close_rivals_share_the_front() -> None:
    """Two trials of one price and almost one loss are each there about half the time."""
    both = frame([5, 5, 9], [1.0, 1.0001, 2.0])
    table = front_membership_table(both, PARAMS, "val_loss", noise=0.1)
    shares = table.filter(pl.col("loss") < 1.5)["membership"].to_list()
    assert all(0.4 < share < 0.85 for share in shares)


def test_more_accuracy_is_the_better_price() -> None:
    """Accuracy is maximised, so the most accurate of equal losses stays."""
    both = frame([0.4, 0.5], [2.0, 2.0], "val_accuracy")
    table = front_membership_table(both, ACCURACY, "val_loss")
    assert table["trial_id"][0] == "t001"
    assert table["membership"][0] == 1.0
