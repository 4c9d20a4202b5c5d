"""How does the loss fall, and which architecture is ahead at equal cost?"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, dash, pickable, when, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.search_luck import ANOTHER_SEARCH, is_ahead, search_lead

COSTS: Final = {
    "tokens": ("Tokens", "Training tokens"),
    "flops": ("FLOPs", "Training FLOPs"),
    "seconds": ("Seconds", "Busy seconds"),
}
MAX_CURVES: Final = 40
MAX_POINTS: Final = 48
_COLUMNS: Final = ("architecture", "trial_id", "best", "tokens", "flops", "seconds", "loss")


def learning_curves_table(
    reports: pl.DataFrame, column: str = "val_loss", max_curves: int = MAX_CURVES
) -> pl.DataFrame:
    """Return the curves to draw: each architecture's best trial and a fixed draw of the others.

    Best means the least loss at the highest budget that any trial of the architecture reached.
    Long curves keep evenly spaced points and their last one.
    """
    wanted = reports.select("architecture", "trial_id", *COSTS, loss=column)
    finite = wanted.filter(pl.col("loss").is_not_null())
    last = finite.group_by("architecture", "trial_id").agg(
        pl.col("tokens").max(), pl.col("loss").sort_by("tokens").last()
    )
    ranked = last.sort(pl.col("tokens"), pl.col("loss"), descending=[True, False]).with_columns(
        best=pl.int_range(pl.len()).over("architecture") == 0,
        draw=pl.col("trial_id").hash(seed=0).rank("ordinal").over("architecture"),
    )
    kept = ranked.filter(pl.col("best") | (pl.col("draw") <= max_curves))
    position, length = pl.int_range(pl.len()).over("trial_id"), pl.len().over("trial_id")
    every = (length / MAX_POINTS).ceil().cast(pl.Int64)
    return (
        finite.join(kept.select("trial_id", "best"), on="trial_id")
        .sort("architecture", "trial_id", "tokens")
        .filter((position % every == 0) | (position == length - 1))
        .select(_COLUMNS)
    )


def equal_cost_table(reports: pl.DataFrame, cost: str, column: str = "val_loss") -> pl.DataFrame:
    """Return each architecture's least loss at the largest cost that every architecture reached.

    Returns:
        architecture, loss, trial_id and cost (the same in every row), best first.
    """
    finite = reports.select("architecture", "trial_id", column, cost).drop_nulls([column, cost])
    reach = (
        wording.number(finite.group_by("architecture").agg(pl.col(cost).max())[cost].min()) or 0.0
    )
    return (
        finite.filter(pl.col(cost) <= reach)
        .group_by("architecture")
        .agg(pl.col("trial_id").get(pl.col(column).arg_min()), loss=pl.col(column).min())
        .sort("loss", "architecture")
        .with_columns(cost=pl.lit(reach, dtype=pl.Float64))
    )


def learning_curves_sentence(
    equal: pl.DataFrame, cost: str, metric: Metric, *, shown: bool = False
) -> str:
    """Say the lowest losses found at the largest cost at which all can be compared.

    Args:
        equal: rows from `equal_cost_table`.
        cost: what is the same.
        metric: the loss.
        shown: whether the first architecture is ahead by more than the luck of the search.
    """
    if equal.is_empty():
        return "No trial reported a finite loss, so there is no curve to draw."
    if cost == "seconds":
        at = wording.duration(equal["cost"][0]) + " of busy time"
    else:
        spent = equal["cost"][0]
        at = wording.flops(spent) if cost == "flops" else f"{wording.count(spent)} training tokens"
    ranking = wording.listing(
        [
            f"{row['architecture']} ({wording.loss(row['loss'])})"
            for row in equal.iter_rows(named=True)
        ]
    )
    if equal.height == 1:
        return f"After at most {at}, the lowest {metric.noun} is {wording.loss(equal['loss'][0])}."
    return (
        f"At equal cost, at most {at} a trial (as far as every architecture got), the lowest "
        f"{metric.noun} found is {ranking}.{'' if shown else ANOTHER_SEARCH}"
    )


def learning_curves_chart(
    table: pl.DataFrame, cost: str, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw thin lines for the chosen trials, a heavy one for each architecture's best."""
    firsts = table.group_by("trial_id").agg(pl.col("loss").first())["loss"]
    domain = [wording.number(table["loss"].min()), wording.number(firsts.quantile(0.9, "higher"))]
    scale = alt.Scale(zero=False, domain=domain, nice=True)
    x = alt.X(f"{cost}:Q", title=COSTS[cost][1], scale=alt.Scale(type="log", nice=False),
              axis=alt.Axis(format="~s", grid=False, labelOverlap=True))  # fmt: skip
    y = alt.Y("loss:Q", title=metric.label, scale=scale)
    base = alt.Chart(table).encode(
        x=x, y=y, color=color(architectures, lines=True), detail=alt.Detail("trial_id:N")
    )
    thin = (
        base.transform_filter("!datum.best")
        .mark_line(clip=True)
        .encode(
            strokeWidth=alt.StrokeWidthValue(**when(1, (PICKED, 4))),
            opacity=alt.OpacityValue(**when(0.28, (PICKED, 1))),
        )
    )
    heavy = base.transform_filter("datum.best").mark_line(strokeWidth=2.6, clip=True).encode(
        strokeDash=dash(architectures)
    )  # fmt: skip
    marks = (
        base.transform_filter("datum.best")
        .mark_point(size=55, clip=True)
        .encode(
            tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"),
                     alt.Tooltip(f"{cost}:Q", format=".3~s"), alt.Tooltip("loss:Q", format=".4f")],
        )
    )  # fmt: skip
    return wide(thin, heavy, pickable(marks), height=340)


def figure(results: Results) -> Figure:
    """Return learning curves against tokens, FLOPs and seconds."""
    column = results.metric.column
    table = learning_curves_table(results.reports, column)
    shown = is_ahead(search_lead(results.trials, column))
    panels = []
    for cost, label in ((cost, label) for cost, (label, _) in COSTS.items() if cost != column):
        sentence = learning_curves_sentence(
            equal_cost_table(results.reports, cost, column), cost, results.metric, shown=shown
        )
        usable = table.filter(pl.col(cost) > 0)
        chart = (
            None
            if usable.is_empty()
            else learning_curves_chart(usable, cost, results.architectures, results.metric)
        )
        panels.append(Panel(label=label, sentence=sentence, chart=chart, table=usable))
    drawn, total = table["trial_id"].n_unique(), results.reports["trial_id"].n_unique()
    note = (
        "Heavy lines are the best trial of each architecture; thin ones the others. The lowest of "
        "many trials was lucky, too: what a setting is worth is its mean over fresh seeds, above."
    )
    if drawn < total:
        note += f" {drawn:,} of {total:,} trials are drawn, the others at random left out."
    return Figure(
        key="learning-curves",
        title="Learning curves at equal cost",
        panels=tuple(panels),
        note=note + " Curves above the ninth decile of first losses are cut off.",
    )
