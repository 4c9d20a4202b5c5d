"""Were gradients, weights and learning rates healthy?"""

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, dash, small_multiples
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.budgets import by_budget

MEASURES: Final[Mapping[str, str]] = {
    "grad_norm": "Gradient norm",
    "max_param_grad": "Largest gradient",
    "weight_norm": "Weight norm",
    "learning_rate": "Learning rate, of its peak",
}

QUANTILES: Final[Mapping[str, float]] = {"median": 0.5, "low": 0.1, "high": 0.9}


def norms_table(reports: pl.DataFrame) -> pl.DataFrame:
    """Return median and 10 to 90 % of each measure at each budget.

    Returns:
        measure, architecture, tokens, median, low, high. Measures that were never reported are
        left out, as are values that are not positive (the axis is logarithmic). A learning rate is
        taken over the trial's highest: trials that go on have other ones than those that were
        stopped, and what never changed would seem to rise; where none changed, it is left out.
    """
    columns = reports.select("architecture", "trial_id", "tokens", *MEASURES)
    peak = pl.col("learning_rate").max().over("trial_id")
    placed = by_budget(columns.with_columns(pl.col("learning_rate") / peak))
    measured = [name for name in MEASURES if (placed[name] > 0).any()]
    if (placed["learning_rate"].drop_nulls() == 1).all() and "learning_rate" in measured:
        measured.remove("learning_rate")
    positive = {name: pl.col(name).filter(pl.col(name) > 0) for name in measured}
    quantiles = placed.group_by("architecture", tokens="at").agg(
        positive[name].quantile(share, "linear").alias(f"{name}.{key}")
        for name in measured
        for key, share in QUANTILES.items()
    )
    parts = [
        quantiles.select(
            pl.lit(MEASURES[name]).alias("measure"),
            "architecture",
            "tokens",
            *(pl.col(f"{name}.{key}").alias(key) for key in QUANTILES),
        ).drop_nulls()
        for name in measured
    ]
    schema = {"measure": pl.String, "architecture": pl.String, "tokens": pl.Float64,
              "median": pl.Float64, "low": pl.Float64, "high": pl.Float64}  # fmt: skip
    if not parts:
        return pl.DataFrame(schema=schema)
    return pl.concat(parts).sort("measure", "architecture", "tokens")


def norms_sentence(reports: pl.DataFrame) -> str:
    """Say how often gradients were clipped, and in how many trials their norm doubled."""
    norms = ("grad_norm", "grad_norm_clipped")
    both = reports.select("architecture", "trial_id", *norms).drop_nulls(norms)
    if both.is_empty():
        return "No gradient norms were reported."
    clipped = both.select((pl.col("grad_norm_clipped") < 0.999 * pl.col("grad_norm")).mean()).item()
    ends = (
        both.group_by("architecture", "trial_id", maintain_order=True)
        .agg(ratio=pl.col("grad_norm").last() / pl.col("grad_norm").first(), reports=pl.len())
        .filter(pl.col("reports") > 1)
    )
    text = f"Gradients were clipped at {wording.percent(clipped)} of the reports"
    if ends.is_empty():
        return text + "."
    growing = ends.select((pl.col("ratio") > 2).mean()).item()
    return f"{text}; from first to last report the gradient norm more than doubled in " + (
        f"{wording.percent(growing)} of the trials." if growing else "no trial."
    )


def norms_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw a small chart per measure, both axes logarithmic."""
    x = alt.X("tokens:Q", title="Training tokens", scale=alt.Scale(type="log", nice=False),
              axis=alt.Axis(format="~s", grid=False, tickCount=4, labelOverlap=True))  # fmt: skip
    y = alt.Y("median:Q", title=None, scale=alt.Scale(type="log", nice=False, padding=6),
              axis=alt.Axis(tickCount=4, format="~g"))  # fmt: skip
    line = alt.Chart(table).mark_line().encode(
        x=x, y=y, color=color(architectures, lines=True), strokeDash=dash(architectures),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("tokens:Q", format=".3~s"),
                 alt.Tooltip("median:Q", format=".3~g"), alt.Tooltip("low:Q", format=".3~g"),
                 alt.Tooltip("high:Q", format=".3~g")],
    )  # fmt: skip
    return small_multiples(
        line, by="measure", columns=4, size=(240, 170), sort=list(MEASURES.values()),
        free=["y"],
    )  # fmt: skip


def figure(results: Results) -> Figure | None:
    """Return all measures as a figure; None where none was reported."""
    table = norms_table(results.reports)
    if table.is_empty():
        return None
    return Figure(
        key="norms",
        title="Gradients, weights and learning rates",
        panels=(
            Panel(
                sentence=norms_sentence(results.reports),
                chart=norms_chart(table, results.architectures),
                table=table,
            ),
        ),
        note=(
            "Medians over trials; both axes are logarithmic. How far trials lie apart (10 to 90 %) "
            "is in the data, and under the pointer."
        ),
    )
