import numpy as np
import polars as pl
import pytest

from picosweep.analysis.results import METRICS, Results
from picosweep.analysis.shapes.box_plots import box_plots_sentence, box_plots_table, box_summary
from picosweep.analysis.shapes.density import density_sentence, density_table, marginal_table
from picosweep.analysis.shapes.heatmap import (
    cell_evidence,
    heatmap_sentence,
    heatmap_table,
    pairs,
)
from picosweep.analysis.shapes.parallel_coordinates import (
    ABSENT_PLACE,
    axis_ends_table,
    parallel_coordinates_sentence,
    parallel_coordinates_table,
)
from picosweep.analysis.shapes.slices import crowded_edges, slices_sentence, slices_table
from picosweep.analysis.statistics.bins import binned
from picosweep.analysis.statistics.common_rung import comparisons
from picosweep.analysis.statistics.evidence import setting_evidence

METRIC = METRICS["val_loss"]
GRID = pl.DataFrame(
    {
        "trial_id": ["a", "b", "c", "d", "e"],
        "architecture": ["k"] * 5,
        "width": [32, 32, 64, 64, None],
        "depth": [1, 1, 1, 2, 2],
        "kind": ["x", "y", "x", "y", None],
        "loss": [3.0, 3.2, 2.0, 1.0, 9.0],
    }
)


def test_trials_compare_at_a_rung_that_enough_of_them_reached(results: Results) -> None:
    """Each architecture's rung holds half its searched trials, and the rest are counted."""
    for common in comparisons(results):
        searched = results.trials.filter(
            (pl.col("architecture") == common.name) & (pl.col("cohort") != "confirm")
        )
        assert common.frame.height + common.num_left_out == searched.height
        assert common.frame.height >= searched.height / 2
        assert common.frame["loss"].null_count() == 0
        assert "confirm" not in set(common.frame["cohort"])
        one = common.frame.row(0, named=True)
        report = results.reports.filter(trial_id=one["trial_id"], rung=common.rung)
        assert report["val_loss"].to_list() == [one["loss"]]


def test_heatmap_cells_are_means_with_counts() -> None:
    """Each pair of values is one cell; rows that lack a setting are left out."""
    table = heatmap_table(GRID, "width", "depth")
    cells = {
        (row["x"], row["y"]): (row["mean"], row["trials"]) for row in table.iter_rows(named=True)
    }
    assert cells == {
        ("32", "1"): (pytest.approx(3.1), 2), ("64", "1"): (2.0, 1), ("64", "2"): (1.0, 1),
    }  # fmt: skip
    sentence = heatmap_sentence(table, "width", "depth", METRIC, clear=True)
    assert "1.000, is at width 64 with depth 2 (1 trial)" in sentence
    assert "2 of 3 cells stand on one trial each" in sentence


def test_the_usual_pair_comes_first() -> None:
    """embed_size × context_size when both exist."""
    assert pairs(["activation", "context_size", "embed_size"])[0] == ("embed_size", "context_size")


def test_many_values_become_ranges_of_equal_counts() -> None:
    """Labels are ordered and nulls stay null."""
    table = binned(pl.Series("rate", [*np.geomspace(1e-4, 1e-2, 20), None]))
    assert table["order"].drop_nulls().is_sorted()
    assert table["order"].n_unique() == 6
    assert table["label"][-1] is None
    assert table["order"].value_counts()["count"].max() <= 5


def test_boxes_are_the_quartiles() -> None:
    """Median, quartiles and whiskers agree with numpy on one group."""
    losses = np.random.default_rng(0).standard_normal(40)
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(40)], "kind": ["x", "y"] * 20, "loss": losses}
    )
    row = box_summary(box_plots_table(frame, ["kind"])).filter(value="x").row(0, named=True)
    own = losses[::2]
    low, median, high = np.quantile(own, (0.25, 0.5, 0.75))
    assert (row["low"], row["median"], row["high"]) == pytest.approx((low, median, high))
    assert row["least"] == own[own >= low - 1.5 * (high - low)].min()
    assert row["most"] == own[own <= high + 1.5 * (high - low)].max()


def test_the_widest_setting_is_named_if_it_is_shown_to_matter() -> None:
    """The sentence is about the medians of the table; where chance may make them, it says so."""
    generator = np.random.default_rng(0)
    width, kind = generator.choice([32, 64], 40), generator.choice(["a", "b"], 40)
    noise = generator.standard_normal(40)
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(40)], "width": width, "kind": kind,
         "loss": 3.0 - 2.0 * (width == 64) + 0.1 * noise}
    )  # fmt: skip
    names = ["width", "kind"]
    summary = box_summary(box_plots_table(frame, names))
    told = box_plots_sentence(summary, setting_evidence(frame, names), 40, METRIC)
    assert told.startswith("Of the settings shown to move the loss, values of width differ most")
    assert "lower with 64 than with 32" in told
    idle = frame.with_columns(loss=pl.Series(noise))
    summary = box_summary(box_plots_table(idle, names))
    told = box_plots_sentence(summary, setting_evidence(idle, names), 40, METRIC)
    assert told.startswith("No setting is shown to move the loss")
    assert told.endswith("which may be chance.")


def test_cells_are_said_to_differ_only_beyond_chance() -> None:
    """A pair of settings that do nothing has a best cell all the same."""
    generator = np.random.default_rng(0)
    x, y = generator.choice([1, 2], 60), generator.choice(["a", "b"], 60)
    frame = pl.DataFrame({"x": x, "y": y, "loss": generator.standard_normal(60)})
    table = heatmap_table(frame, "x", "y")
    assert cell_evidence(frame, [("x", "y")]) == {"x × y": False}
    assert "Chance may make" in heatmap_sentence(table, "x", "y", METRIC, clear=False)
    real = frame.with_columns(loss=pl.col("loss") + 3 * (pl.col("x") == 1))
    assert cell_evidence(real, [("x", "y")]) == {"x × y": True}
    assert "Chance" not in heatmap_sentence(table, "x", "y", METRIC, clear=True)


def test_slices_see_an_edge() -> None:
    """Best trials crowded at the end of a range are a reason to widen it, a few are not."""
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(40)], "width": range(40), "loss": range(40, 0, -1)}
    )
    table = slices_table(frame, ["width"])
    assert table["best"].sum() == 10
    assert crowded_edges(table).row(0) == ("width", "upper", 6, 10, 6, 40)
    assert "width at its upper end (6 of 10, where 6 of 40 in all lie)" in slices_sentence(table)
    inside = frame.with_columns(loss=(pl.col("width") - 20).abs())
    assert slices_sentence(slices_table(inside, ["width"])).startswith("40 trials do not show")
    few = slices_table(frame.gather_every(5), ["width"])
    assert crowded_edges(few).is_empty()


def test_conditional_trials_keep_their_line() -> None:
    """A trial without a setting is on the rail below, in every axis one point."""
    table = parallel_coordinates_table(GRID, ["width", "kind"])
    assert table.height == 5 * 3
    assert table.group_by("axis").len()["len"].to_list() == [5, 5, 5]
    absent = table.filter(trial_id="e", axis="width").row(0, named=True)
    assert absent["place"] == ABSENT_PLACE
    assert absent["value"] == "not a setting of it"
    ends = axis_ends_table(table).filter(axis="width").sort("top")
    assert ends["value"].to_list() == ["32", "64"]


def test_what_the_best_share_is_said() -> None:
    """A value that most of the best trials have is named, unless chance would give as much."""
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(40)], "architecture": ["k"] * 40,
         "width": [64] * 8 + [32] * 32, "loss": range(40)}
    )  # fmt: skip
    table = parallel_coordinates_table(frame, ["width"])
    assert parallel_coordinates_sentence(table, frame) == (
        "What the best 6 trials have in common: width 64 (6 of 6, against 8 of 40 in all)."
    )
    usual = frame.with_columns(width=pl.Series([64] * 26 + [32] * 14))
    assert "are not shown to have anything in common" in parallel_coordinates_sentence(
        parallel_coordinates_table(usual, ["width"]), usual
    )
    few = frame.gather_every(4)  # the best three of ten share it, as do five of all
    few = few.with_columns(width=pl.Series([64] * 5 + [32] * 5))
    assert "are not shown" in parallel_coordinates_sentence(
        parallel_coordinates_table(few, ["width"]), few
    )


def test_density_peaks_where_the_trials_are() -> None:
    """The densest cell holds the cluster; marginals have area one."""
    noise = np.random.default_rng(0).standard_normal((2, 60))
    near = np.arange(60) < 50
    frame = pl.DataFrame(
        {"architecture": ["k"] * 60, "val_accuracy": np.where(near, 0.4, 0.6) + 0.01 * noise[0],
         "val_loss": np.where(near, 3.0, 2.0) + 0.05 * noise[1]}
    )  # fmt: skip
    top = density_table(frame, "val_loss").sort("density").row(-1, named=True)
    assert abs(top["x"] - 0.4) < 0.03
    assert abs(top["y"] - 3.0) < 0.15
    hill = marginal_table(frame, "val_loss")
    area = np.trapezoid(hill["density"].to_numpy(), hill["at"].to_numpy())
    assert area == pytest.approx(1.0, abs=0.05)
    assert "60 trials" in density_sentence(frame, "val_loss", METRIC)


def test_a_degenerate_density_is_none() -> None:
    """Equal points or too few have no density, and no error."""
    same = pl.DataFrame({"val_accuracy": [0.5] * 9, "val_loss": [2.0] * 9})
    assert density_table(same, "val_loss").is_empty()
    assert density_table(same.head(3), "val_loss").is_empty()
    line = pl.DataFrame({"val_accuracy": np.linspace(0, 1, 9), "val_loss": np.linspace(1, 0, 9)})
    assert not density_table(line, "val_loss").is_empty()
