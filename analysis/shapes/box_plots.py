"""What does each value of a setting tend to give? Box plots with every trial drawn over them."""

from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import small_multiples
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.bins import binned
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import clear_settings, unshown_sentence

MAX_SETTINGS: Final = 12
MAX_POINTS: Final = 1200


def box_plots_table(frame: pl.DataFrame, settings: Sequence[str]) -> pl.DataFrame:
    """Return one row per setting and trial, its value as a label.

    Args:
        frame: one row per trial, with `loss`, `trial_id` and the settings.
        settings: hyperparameters to show; numbers with many values are cut into ranges.

    Returns:
        setting, value (label), order, loss, trial_id.
    """
    parts = [
        pl.DataFrame(
            {
                "setting": [name] * frame.height,
                "value": labels["label"],
                "order": labels["order"].cast(pl.Int64),
                "loss": frame["loss"],
                "trial_id": frame["trial_id"],
            }
        ).drop_nulls()
        for name in settings
        for labels in [binned(frame[name])]
    ]
    schema = {
        "setting": pl.String, "value": pl.String, "order": pl.Int64, "loss": pl.Float64,
        "trial_id": pl.String,
    }  # fmt: skip
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def box_summary(table: pl.DataFrame) -> pl.DataFrame:
    """Return median, quartiles and whiskers (1.5 interquartile ranges) of each setting's values."""
    loss = pl.col("loss")
    quartiles = table.group_by("setting", "value", "order", maintain_order=True).agg(
        trials=pl.len(),
        low=loss.quantile(0.25, "linear"),
        median=loss.median(),
        high=loss.quantile(0.75, "linear"),
        losses=loss,
    )
    reach = 1.5 * (pl.col("high") - pl.col("low"))
    whiskers = (
        quartiles.explode("losses")
        .filter(pl.col("losses").is_between(pl.col("low") - reach, pl.col("high") + reach))
        .group_by("setting", "value")
        .agg(least=pl.col("losses").min(), most=pl.col("losses").max())
    )
    return quartiles.drop("losses").join(whiskers, on=["setting", "value"]).sort("setting", "order")


def box_plots_sentence(
    summary: pl.DataFrame, evidence: pl.DataFrame, trials: int, metric: Metric
) -> str:
    """Say of which setting that matters the medians differ most, in units of loss.

    Args:
        summary: rows from `box_summary`.
        evidence: rows from `setting_evidence` about the same trials.
        trials: number of trials that could be compared.
        metric: the loss.
    """
    spread = (
        summary.group_by("setting", maintain_order=True)
        .agg(
            span=pl.col("median").max() - pl.col("median").min(),
            best=pl.col("value").sort_by("median").first(),
            worst=pl.col("value").sort_by("median").last(),
            values=pl.len(),
        )
        .filter(pl.col("values") > 1)
        .sort("span", descending=True, maintain_order=True)
    )
    if spread.is_empty():
        return "No setting took two values among the trials that can be compared."
    top = spread.row(0, named=True)
    shown = spread.filter(pl.col("setting").is_in(clear_settings(evidence)))
    if not top["span"] and summary["least"].min() == summary["most"].max():
        return "The losses are all the same, so no setting moves them."
    if shown.is_empty():
        return (
            f"{unshown_sentence(evidence, trials)} The medians of {top['setting']} lie farthest "
            f"apart ({wording.significant(top['span'], 2)}), which may be chance."
        )
    top = shown.row(0, named=True)
    return (
        f"Of the settings shown to move the loss, values of {top['setting']} differ most: the "
        f"median {metric.noun} "
        f"is {wording.significant(top['span'], 2)} lower with {top['best']} than "
        f"with {top['worst']}."
    )


def box_plots_chart(table: pl.DataFrame, metric: Metric) -> Chart:
    """Draw a small chart per setting: box, median and trials, at most 1,200 points in all."""
    summary = box_summary(table)
    order = summary.select("setting", "value", "order").unique().sort("setting", "order")
    values = order["value"].unique(maintain_order=True).to_list()
    points = table.sample(min(MAX_POINTS, table.height), seed=0)
    both = pl.concat([summary, points], how="diagonal")
    y = alt.Y("value:N", title=None, sort=values)
    scale = alt.Scale(zero=False)
    base = alt.Chart(both).encode(y=y)
    whisker = base.mark_rule(strokeWidth=1).encode(
        x=alt.X("least:Q", title=metric.label, scale=scale), x2=alt.X2("most:Q")
    )
    box = base.mark_bar(height=18, opacity=0.28, cornerRadius=2).encode(
        x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")
    )
    median = base.mark_tick(thickness=2.5, height=18).encode(
        x=alt.X("median:Q", scale=scale),
        tooltip=[alt.Tooltip("value:N"), alt.Tooltip("median:Q", format=".4f"),
                 alt.Tooltip("trials:Q")],
    )  # fmt: skip
    strip = base.mark_point(size=22, opacity=0.55).encode(
        x=alt.X("loss:Q", scale=scale),
        tooltip=[alt.Tooltip("trial_id:N"), alt.Tooltip("loss:Q", format=".4f")],
    )
    return small_multiples(
        whisker, box, median, strip, by="setting", columns=3, size=(280, alt.Step(30)), free=["y"]
    )


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture, and one of all together; None without trials."""
    panels = []
    compared = comparisons(results, pooled=True)
    for common in compared:
        table = box_plots_table(common.frame, common.settings[:MAX_SETTINGS])
        if table.is_empty():
            continue
        summary = box_summary(table)
        sentence = box_plots_sentence(summary, common.evidence, common.frame.height, results.metric)
        panels.append(
            Panel(
                label=common.name,
                sentence=f"{common.title}: {sentence} {common.sentence}",
                chart=box_plots_chart(table, results.metric),
                table=summary.drop("order"),
            )
        )
    if not panels:
        return None
    return Figure(
        key="box-plots",
        title=timed("Loss by each setting", compared),
        panels=tuple(panels),
        note=(
            "Boxes are quartiles, bars medians, whiskers reach 1.5 interquartile ranges, dots are "
            "trials. An adaptive sampler does not choose settings independently of each other."
        ),
    )
