"""Which trials are worth their price? True Pareto fronts: steps through trials, no hulls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, pickable, shape, when, wide
from picosweep.analysis.results import Metric, Results

MAX_OTHERS: Final = 600


@dataclass(frozen=True, kw_only=True)
class Price:
    """The axis against which the loss is traded."""

    column: str
    label: str
    noun: str
    maximize: bool = False

    def written(self, value: float) -> str:
        """Return a value as a sentence has it, with its unit."""
        if self.maximize:
            return f"{100 * value:.1f} %"
        units = {
            "flops": wording.flops,
            "seconds": wording.duration,
            "peak_memory_bytes": wording.size,
        }
        return units.get(self.column, wording.count)(value)

    @property
    def tab(self) -> str:
        """The label without its unit."""
        return self.label.partition(" (")[0]


PRICES: Final = (
    Price(column="num_params", label="Parameters", noun="parameters"),
    Price(column="val_accuracy", label="Validation accuracy", noun="accuracy", maximize=True),
    Price(column="flops", label="Training FLOPs", noun="compute"),
    Price(column="seconds", label="Busy seconds", noun="busy time"),
    Price(column="peak_memory_bytes", label="Peak memory (bytes)", noun="peak memory"),
)


def prices_beside(loss: str) -> list[Price]:
    """Return the prices that are another measure than the loss column itself."""
    same = {loss, "val_accuracy" if loss == "val_error" else loss}
    return [price for price in PRICES if price.column not in same]


def pareto_table(
    full_budget: pl.DataFrame, price: str, column: str = "val_loss", *, maximize: bool = False
) -> pl.DataFrame:
    """Return trials at full budget with `on_front`, in the order of the price, best price first.

    A trial is on the front when no other is at least as good in both and better in one.
    """
    known = full_budget.filter(pl.col(price).is_not_null() & pl.col(column).is_not_null())
    frame = known.sort(price, column, descending=[maximize, False]).select(
        "architecture", "trial_id", "cohort", pl.col(price), loss=pl.col(column)
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


def pareto_sentence(table: pl.DataFrame, price: Price, metric: Metric) -> str:
    """Say how many trials are on the front, and what its two ends trade."""
    front = table.filter("on_front")
    if front.is_empty():
        return f"No trial at full budget has both a {metric.noun} and {price.noun}."
    cheap, dear = front.row(0, named=True), front.row(-1, named=True)
    text = f"{front.height} of {wording.plural(table.height, 'full-budget trial')} "
    text += "is on the front" if front.height == 1 else "are on the front"
    if front.height == 1:
        return f"{text}: {cheap['architecture']} {cheap['trial_id']} is best in both at once."
    members = wording.listing(front["architecture"].unique(maintain_order=True).to_list())
    text += f" ({members})."
    ends = [(row, row[price.column], wording.loss(row["loss"])) for row in (cheap, dear)]
    if price.maximize:
        return text + (
            f" It runs from accuracy {price.written(ends[0][1])} with {metric.noun} {ends[0][2]} "
            f"to accuracy {price.written(ends[1][1])} with {ends[1][2]}: there the two disagree."
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
    """Draw trials at full budget, and the front as steps through its members."""
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
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"), alt.Tooltip("cohort:N"),
                 alt.Tooltip(f"{price.column}:Q", format=".1%" if price.maximize else ".4~s"),
                 alt.Tooltip("loss:Q", format=".4f")],
    )  # fmt: skip
    return wide(line, pickable(points), height=340)


def figure(results: Results) -> Figure:
    """Return the fronts as a figure, one panel per price."""
    panels = []
    for price in prices_beside(results.metric.column):
        table = pareto_table(
            results.full_budget, price.column, results.metric.column, maximize=price.maximize
        )
        sentence = pareto_sentence(table, price, results.metric)
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
        note="Only trials at full budget. Faint points are beaten by another in both measures.",
    )
