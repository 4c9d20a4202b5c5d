"""Which settings are worth their price? True Pareto fronts: steps through points, no hulls."""

from collections.abc import Sequence
from typing import Final, Literal

import altair as alt
import polars as pl

from picosweep.analysis.fronts.points import differ, front_points, noise_of
from picosweep.analysis.fronts.prices import Price, prices_beside
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, pickable, shape, when, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.seeds import SeedNoise

MAX_OTHERS: Final = 600


def pareto_table(
    points: pl.DataFrame, price: str, column: str = "val_loss", *, maximize: bool = False
) -> pl.DataFrame:
    """Return points with `on_front`, in the order of the price, best price first.

    A point is on the front when no other is at least as good in both and better in one.

    Args:
        points: rows from `front_points`.
        price: column that the loss is traded against.
        column: loss column.
        maximize: whether a larger price is the better one, as of an accuracy.

    Returns:
        architecture, trial_id, seeds, the price, loss, on_front.
    """
    known = points.filter(pl.col(price).is_not_null() & pl.col(column).is_not_null())
    frame = known.sort(price, column, descending=[maximize, False]).select(
        "architecture", "trial_id", "seeds", pl.col(price), loss=pl.col(column)
    )
    least_before = pl.col("loss").cum_min().shift(1)
    strictly = least_before.is_null() | (pl.col("loss") < least_before)
    twin = (pl.col("loss") == pl.col("loss").shift(1)) & (pl.col(price) == pl.col(price).shift(1))
    fronts = frame.with_columns(on_front=strictly, twin=twin.fill_null(value=False))
    return fronts.with_columns(
        on_front=pl.when("twin").then(None).otherwise("on_front").forward_fill()
    ).drop("twin")


def drawable(table: pl.DataFrame) -> pl.DataFrame:
    """Return the whole front and a fixed draw of the others, in the same order."""
    others = table.filter(~pl.col("on_front"))
    kept = others.sample(min(others.height, MAX_OTHERS), seed=0)["trial_id"]
    return table.filter(pl.col("on_front") | pl.col("trial_id").is_in(kept.to_list()))


def pareto_sentence(
    table: pl.DataFrame,
    price: Price,
    metric: Metric,
    noise: tuple[SeedNoise, SeedNoise] | None = None,
) -> str:
    """Say how many settings are on the front, and what its two ends trade.

    Args:
        table: rows from `pareto_table`.
        price: what the loss is traded against.
        metric: the loss.
        noise: of the loss and of the price, where the price is measured too, as an accuracy is.
    """
    front = table.filter("on_front")
    if front.is_empty():
        return f"No trial at full budget has both a {metric.noun} and {price.noun}."
    cheap, dear = front.row(0, named=True), front.row(-1, named=True)
    text = f"{front.height} of {wording.plural(table.height, 'setting')} at full budget "
    text += "is on the front" if front.height == 1 else "are on the front"
    if front.height == 1:
        return f"{text}: {cheap['architecture']} {cheap['trial_id']} is best in both at once."
    members = wording.listing(front["architecture"].unique(maintain_order=True).to_list())
    text += f" ({members})."
    if cheap["loss"] == dear["loss"] and cheap[price.column] == dear[price.column]:
        return f"{text} All of them have the same loss and the same {price.noun}."
    ends = [(row, row[price.column], wording.loss(row["loss"])) for row in (cheap, dear)]
    if price.maximize:
        apart = noise is not None and all(
            differ(
                (cheap[name], cheap["seeds"]), (dear[name], dear["seeds"]), one,
                table.height,
            )
            for name, one in zip(("loss", price.column), noise, strict=True)
        )  # fmt: skip
        meaning = "there the two disagree" if apart else "which seeds alone may explain"
        return text + (
            f" It runs from accuracy {price.written(ends[0][1])} with {metric.noun} {ends[0][2]} "
            f"to accuracy {price.written(ends[1][1])} with {ends[1][2]}: {meaning}."
        )
    factor = wording.significant(ends[1][1] / ends[0][1], 2) if ends[0][1] else wording.ABSENT
    unit = " parameters" if price.column == "num_params" else ""
    return text + (
        f" From {price.written(ends[0][1])}{unit} ({metric.noun} {ends[0][2]}) to "
        f"{price.written(ends[1][1])} ({ends[1][2]}): {factor} times the price buys "
        f"{wording.significant(cheap['loss'] - dear['loss'])} less {metric.noun}."
    )


def pareto_chart(
    table: pl.DataFrame, price: Price, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw settings at full budget, and the front as steps through its members."""
    log = not price.maximize and (wording.number(table[price.column].min()) or 0) > 0
    axis = alt.Axis(format="%" if price.maximize else "~s", labelOverlap=True, grid=False)
    x = alt.X(f"{price.column}:Q", title=price.label, axis=axis,
              scale=alt.Scale(type="log", nice=False, padding=12) if log
              else alt.Scale(zero=False, padding=12))  # fmt: skip
    y = alt.Y("loss:Q", title=metric.label, scale=alt.Scale(zero=False, padding=12))
    base = alt.Chart(table).encode(x=x, y=y)
    step: Literal["step-after", "step-before"] = "step-before" if price.maximize else "step-after"
    line = base.transform_filter("datum.on_front").mark_line(
        interpolate=step, strokeWidth=1.5, strokeDash=[5, 3], color="gray"
    )
    points = base.mark_point().encode(
        color=color(architectures),
        shape=shape(architectures),
        opacity=alt.OpacityValue(**when(0.32, (PICKED, 1), ("datum.on_front", 1))),
        size=alt.SizeValue(**when(50, (PICKED, 360), ("datum.on_front", 120))),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"), alt.Tooltip("seeds:Q"),
                 alt.Tooltip(f"{price.column}:Q", format=".1%" if price.maximize else ".4~s"),
                 alt.Tooltip("loss:Q", format=".4f")],
    )  # fmt: skip
    return wide(line, pickable(points), height=340)


def figure(results: Results) -> Figure:
    """Return the fronts as a figure, one panel per price."""
    column = results.metric.column
    points = front_points(results)
    panels = []
    for price in prices_beside(column):
        table = pareto_table(points, price.column, column, maximize=price.maximize)
        noise = None
        if price.maximize:
            noise = (noise_of(results, column), noise_of(results, price.column))
        sentence = pareto_sentence(table, price, results.metric, noise)
        drawn = drawable(table)
        chart = (
            None if table.is_empty()
            else pareto_chart(drawn, price, results.architectures, results.metric)
        )  # fmt: skip
        panels.append(Panel(label=price.tab, sentence=sentence, chart=chart, table=drawn))
    return Figure(
        key="pareto",
        title="Pareto fronts",
        panels=tuple(panels),
        note=(
            "One point a setting, at full budget: the mean over its fresh seeds, or, where seeds "
            "is 0, a single searched trial, which is flattered by having been picked. Faint points "
            "are beaten by another in both measures."
        ),
    )
