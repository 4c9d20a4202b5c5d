"""What do all learning curves look like together? Quantile ribbons, diverged trials marked."""

from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, small_multiples
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.budgets import by_budget

MAX_MARKS: Final = 400


def ribbons_table(reports: pl.DataFrame, column: str = "val_loss") -> pl.DataFrame:
    """Return quantiles of the loss over all trials that reported at a budget, and the best one's.

    Returns:
        architecture, tokens, q10, q25, median, q75, q90, best (the architecture's trial of least
        loss at its highest budget), trials.
    """
    value = pl.col(column)
    placed = by_budget(
        reports.select("architecture", "trial_id", "tokens", column).filter(value.is_not_null())
    )
    ends = placed.group_by("architecture", "trial_id").agg(
        pl.col("tokens").max(), end=value.sort_by("tokens").last()
    )
    winners = ends.sort("tokens", "end", descending=[True, False]).unique(
        "architecture", keep="first"
    )
    best = pl.col("trial_id").is_in(winners["trial_id"].to_list())
    return (
        placed.group_by("architecture", tokens="at")
        .agg(
            q10=value.quantile(0.10, "linear"),
            q25=value.quantile(0.25, "linear"),
            median=value.median(),
            q75=value.quantile(0.75, "linear"),
            q90=value.quantile(0.90, "linear"),
            best=value.filter(best).last(),
            trials=pl.col("trial_id").n_unique(),
        )
        .sort("architecture", "tokens")
    )


def divergences_table(trials: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return where each diverged trial ended; null tokens become those of the earliest report.

    Returns:
        architecture, trial_id, tokens; the first 400 trials.
    """
    diverged = trials.filter(status="diverged").select("architecture", "trial_id", "tokens")
    return diverged.with_columns(
        pl.col("tokens").fill_null(reports["tokens"].min()).cast(pl.Float64)
    ).head(MAX_MARKS)


def ribbons_sentence(table: pl.DataFrame, diverged: pl.DataFrame, trials: int) -> str:
    """Say how many trials diverged, and whose trials spread least and most."""
    text = "No trial diverged."
    if diverged.height:
        counts = diverged["architecture"].value_counts(sort=True)
        parts = [f"{row['count']} of {row['architecture']}" for row in counts.iter_rows(named=True)]
        share = wording.percent(diverged.height / trials)
        trials_diverged = wording.plural(diverged.height, "trial")
        text = f"{trials_diverged} diverged ({share}): {wording.listing(parts)}."
    ends = table.group_by("architecture").agg(
        pl.all().sort_by("tokens").last()
    ).with_columns(spread=pl.col("q90") - pl.col("q10")).sort("spread")  # fmt: skip
    if ends.height < 2:
        return text
    narrow, wide = ends.row(0, named=True), ends.row(-1, named=True)
    return (
        f"{text} At their last report {narrow['architecture']} trials lie closest together (10 to "
        f"90 % span {wording.significant(narrow['spread'], 2)}), {wide['architecture']} trials "
        f"furthest apart ({wording.significant(wide['spread'], 2)})."
    )


def ribbons_chart(table: pl.DataFrame, diverged: pl.DataFrame, metric: Metric) -> Chart:
    """Draw a ribbon chart per architecture, on common axes."""
    names = table["architecture"].unique().sort().to_list()
    top = wording.number(table["q90"].quantile(0.98, "higher")) or 1.0
    marks = diverged.with_columns(top=pl.lit(top))
    both = pl.concat([table, marks], how="diagonal")
    hue = color(names, legend=False)
    x = alt.X("tokens:Q", title="Training tokens", scale=alt.Scale(type="log", nice=False),
              axis=alt.Axis(format="~s", grid=False, tickCount=4, labelOverlap=True))  # fmt: skip
    scale = alt.Scale(
        zero=False,
        domain=[wording.number(table.select(pl.min_horizontal("q10", "best").min()).item()), top],
    )
    base = alt.Chart(both).encode(x=x, color=hue)
    curve = base.transform_filter("datum.median !== null")
    outer = curve.mark_area(opacity=0.13, clip=True).encode(
        y=alt.Y("q10:Q", title=metric.label, scale=scale), y2=alt.Y2("q90:Q")
    )
    inner = curve.mark_area(opacity=0.22, clip=True).encode(
        y=alt.Y("q25:Q", scale=scale), y2=alt.Y2("q75:Q")
    )
    middle = curve.mark_line(clip=True).encode(
        y=alt.Y("median:Q", scale=scale),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("tokens:Q", format=".3~s"),
                 alt.Tooltip("median:Q", format=".4f"), alt.Tooltip("trials:Q")],
    )  # fmt: skip
    winner = curve.mark_line(clip=True, strokeDash=[4, 3], strokeWidth=1.5).encode(
        y=alt.Y("best:Q", scale=scale)
    )
    crosses = base.mark_point(shape="cross", angle=45, size=70, opacity=1).encode(
        y=alt.Y("top:Q", scale=scale), tooltip=[alt.Tooltip("trial_id:N"), alt.Tooltip("tokens:Q")]
    )
    layers = [outer, inner, middle, winner, *([crosses] if diverged.height else [])]
    return small_multiples(*layers, by="architecture", columns=4, size=(260, 210))


def figure(results: Results) -> Figure | None:
    """Return one small chart per architecture; None without reports."""
    table = ribbons_table(results.reports, results.metric.column)
    if table.is_empty():
        return None
    diverged = divergences_table(results.trials, results.reports)
    return Figure(
        key="ribbons",
        title="All learning curves",
        panels=(
            Panel(
                sentence=ribbons_sentence(table, diverged, results.trials.height),
                chart=ribbons_chart(table, diverged, results.metric),
                table=table,
            ),
        ),
        note=(
            "Lines are medians, ribbons 25 to 75 % and 10 to 90 % of the trials that got that far "
            "(early stopping thins them out to the right), dashed lines the best trials. Crosses "
            "mark where diverged trials ended."
        ),
    )
