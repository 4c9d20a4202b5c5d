"""Where do trials end up in loss and accuracy? A two-dimensional density with its marginals."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, pickable, shape, when
from picosweep.analysis.results import Metric, Results

MIN_TRIALS: Final = 6
GRID: Final = 36
MAX_POINTS: Final = 800


def density_table(trials: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the kernel density of loss and accuracy on a grid, scaled to a largest value of 1.

    Args:
        trials: one row per trial, with `val_accuracy` and the loss.
        column: loss column of the vertical axis.

    Returns:
        x, x2 (edges of a cell in accuracy), y, y2 (in loss), density. Cells below 2 % are left
        out; empty with fewer than six trials, or where either measure does not vary.
    """
    from scipy.stats import gaussian_kde  # noqa: PLC0415 - slow to import

    schema = dict.fromkeys(("x", "x2", "y", "y2", "density"), pl.Float64)
    points = trials.select("val_accuracy", column).drop_nulls().to_numpy()
    if len(points) < MIN_TRIALS:
        return pl.DataFrame(schema=schema)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.12 * (high - low)
    # A straight line of points has no two-dimensional density: a little width makes it drawable.
    spread = points.std(axis=0)
    if not (spread > 1e-9 * np.abs(points).max()).all():
        return pl.DataFrame(schema=schema)
    jitter = 0.03 * spread * np.random.default_rng(0).standard_normal(points.shape)
    edges = [np.linspace(a, b, GRID + 1) for a, b in zip(low - margin, high + margin, strict=True)]
    centres = [(edge[:-1] + edge[1:]) / 2 for edge in edges]
    x, y = (axis.ravel() for axis in np.meshgrid(*centres, indexing="ij"))
    density = gaussian_kde((points + jitter).T)(np.stack([x, y]))
    half = [(edge[1] - edge[0]) / 2 for edge in edges]
    table = pl.DataFrame(
        {"x": x - half[0], "x2": x + half[0], "y": y - half[1], "y2": y + half[1],
         "density": density / density.max()}
    )  # fmt: skip
    return table.filter(pl.col("density") > 0.02)


def marginal_table(trials: pl.DataFrame, column: str, points: int = 60) -> pl.DataFrame:
    """Return the kernel density of one column for each architecture with at least three trials.

    Returns:
        architecture, at, density (area 1 per architecture), height (peak 1 per architecture).
    """
    from scipy.stats import gaussian_kde  # noqa: PLC0415 - slow to import

    parts = []
    everything = trials[column].drop_nulls().to_numpy()
    for (name,), frame in trials.sort("architecture").group_by("architecture", maintain_order=True):
        values = frame[column].drop_nulls().to_numpy()
        if len(values) < 3 or values.std() == 0:
            continue
        margin = 0.25 * (everything.max() - everything.min())
        at = np.linspace(everything.min() - margin, everything.max() + margin, points)
        parts.append(
            pl.DataFrame({"at": at, "density": gaussian_kde(values)(at)}).select(
                pl.lit(name).alias("architecture"),
                pl.all(),
                height=pl.col("density") / pl.col("density").max(),
            )
        )
    numbers = dict.fromkeys(("at", "density", "height"), pl.Float64)
    schema = {"architecture": pl.String, **numbers}
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def density_sentence(trials: pl.DataFrame, column: str, metric: Metric) -> str:
    """Say how closely accuracy follows loss, and where the medians are."""
    known = trials.select(column, "val_accuracy").drop_nulls()
    if known.height < MIN_TRIALS:
        return f"{wording.plural(known.height, 'trial')} are too few for a density."
    link = known.select(pl.corr(column, "val_accuracy", method="spearman")).item()
    middle = wording.number(known[column].median())
    accuracy = wording.number(known["val_accuracy"].median())
    text = (
        f"Half of the {wording.plural(known.height, 'trial')} have a {metric.noun} below "
        f"{wording.loss(middle)} and an accuracy above {wording.percent(accuracy)}"
    )
    if link is None or math.isnan(link):
        return text + "."
    verdict = "say the same" if link < -0.95 else "mostly agree" if link < -0.7 else "disagree"
    return f"{text}; the two measures {verdict} (rank correlation {wording.signed(link)})."


def density_chart(
    cloud: pl.DataFrame, trials: pl.DataFrame, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw the density with the trials over it and each architecture's marginals at its sides."""
    column = metric.column
    points = trials.select("architecture", "trial_id", "val_accuracy", loss=column).drop_nulls()
    points = points.sample(min(points.height, MAX_POINTS), seed=0)
    across, up = (
        alt.Scale(
            domain=[wording.number(cloud[a].min()), wording.number(cloud[b].max())], nice=False
        )
        for a, b in (("x", "x2"), ("y", "y2"))
    )
    x = alt.X("x:Q", title="Validation accuracy", scale=across,
              axis=alt.Axis(format="%", grid=False))  # fmt: skip
    y = alt.Y("y:Q", title=metric.label, scale=up, axis=alt.Axis(grid=False))
    opacity = alt.Scale(domain=[0, 1], range=[0.0, 0.75])
    cells = (
        alt.Chart(cloud)
        .mark_rect(strokeWidth=0)
        .encode(
            x=x,
            x2=alt.X2("x2:Q"),
            y=y,
            y2=alt.Y2("y2:Q"),
            opacity=alt.Opacity("density:Q", scale=opacity, legend=None),
        )
    )
    dots = (
        alt.Chart(points)
        .mark_point(opacity=0.9)
        .encode(
            x=alt.X("val_accuracy:Q", scale=across),
            y=alt.Y("loss:Q", scale=up),
            color=color(architectures),
            shape=shape(architectures),
            size=alt.SizeValue(**when(40, (PICKED, 300))),
            tooltip=[
                alt.Tooltip("architecture:N"),
                alt.Tooltip("trial_id:N"),
                alt.Tooltip("val_accuracy:Q", format=".1%"),
                alt.Tooltip("loss:Q", format=".4f"),
            ],
        )
    )
    main = alt.layer(cells, pickable(dots), width=420, height=280)
    top = _hills(marginal_table(trials, "val_accuracy"), architectures)
    side = _hills(marginal_table(trials, column), architectures, orient="horizontal")
    above = top.encode(
        x=alt.X("at:Q", axis=None, scale=across), y=alt.Y("height:Q", axis=None, stack=None)
    ).properties(width=420, height=60)
    beside = side.encode(
        y=alt.Y("at:Q", axis=None, scale=up), x=alt.X("height:Q", axis=None, stack=None)
    ).properties(width=60, height=280)
    below = alt.hconcat(main, beside, spacing=8, bounds="flush")
    return alt.vconcat(above, below, spacing=8, bounds="flush", usermeta={"marginals": 60})


def _hills(
    table: pl.DataFrame,
    names: Sequence[str],
    orient: Literal["vertical", "horizontal"] = "vertical",
) -> alt.Chart:
    outline = {"strokeWidth": 1.5}
    chart: alt.Chart = (
        alt.Chart(table)
        .mark_area(opacity=0.3, orient=orient, line=outline, clip=True)
        .encode(color=color(names), order=alt.Order("at:Q"))
    )
    return chart


def figure(results: Results) -> Figure:
    """Return one chart over all architectures."""
    column = results.metric.column
    trials = results.full_budget
    sentence = density_sentence(trials, column, results.metric)
    cloud = density_table(trials, column)
    return Figure(
        key="density",
        title="Loss and accuracy together",
        panels=(
            Panel(
                sentence=sentence,
                chart=None
                if cloud.is_empty()
                else density_chart(cloud, trials, results.architectures, results.metric),
                table=trials.select("architecture", "trial_id", column, "val_accuracy").head(
                    MAX_POINTS
                ),
            ),
        ),
        note=(
            "Full-budget trials. The cloud is a Gaussian kernel density with Scott's bandwidth "
            "over all of them; the hills above and beside are each architecture's own, drawn to "
            "one height."
        ),
    )
