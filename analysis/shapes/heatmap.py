"""How do two settings act together? Mean loss and number of trials for each pair of values."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.bins import binned
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import setting_evidence
from picosweep.analysis.statistics.linear_model import by_strength

FIRST: Final = ("embed_size", "context_size")
MAX_SETTINGS: Final = 4
MAX_PANELS: Final = 18


def heatmap_table(frame: pl.DataFrame, x: str, y: str) -> pl.DataFrame:
    """Return mean and least `loss` and number of trials for each pair of values of two settings.

    Args:
        frame: one row per trial, with `loss` and both settings; rows that lack either setting are
            left out.
        x: setting on the horizontal axis.
        y: setting on the vertical axis.

    Returns:
        x, y (labels), x_order, y_order, mean, best, trials, light (whether the cell needs dark
        text), text (what is written in it).
    """
    known = frame.filter(pl.col(x).is_not_null() & pl.col(y).is_not_null())
    across, up = binned(known[x]), binned(known[y])
    table = (
        pl.DataFrame(
            {"x": across["label"], "x_order": across["order"], "y": up["label"],
             "y_order": up["order"], "loss": known["loss"]}
        )
        .group_by("x", "x_order", "y", "y_order")
        .agg(mean=pl.col("loss").mean(), best=pl.col("loss").min(), trials=pl.len())
        .sort("y_order", "x_order")
    )  # fmt: skip
    low, high = pl.col("mean").min(), pl.col("mean").max()
    texts = [f"{mean:.3f}\n{trials}" for mean, trials in table.select("mean", "trials").iter_rows()]
    return table.with_columns(
        light=(pl.col("mean") - low) > 0.45 * (high - low), text=pl.Series(texts, dtype=pl.String)
    )


def cell_evidence(frame: pl.DataFrame, drawn: Sequence[tuple[str, str]]) -> dict[str, bool]:
    """Return for each pair `x × y` whether its cells are shown to differ, all pairs together.

    Args:
        frame: one row per trial, with `loss` and the settings.
        drawn: pairs of settings.
    """
    cells = {}
    for x, y in drawn:
        labels = pl.DataFrame({"x": binned(frame[x])["label"], "y": binned(frame[y])["label"]})
        cells[f"{x} × {y}"] = labels.select(pl.concat_str("x", "y", separator=" × ")).to_series()
    labelled = frame.select("loss").with_columns(
        values.alias(name) for name, values in cells.items()
    )
    evidence = setting_evidence(labelled, list(cells))
    return {row["setting"]: row["clear"] for row in evidence.iter_rows(named=True)}


def heatmap_sentence(table: pl.DataFrame, x: str, y: str, metric: Metric, *, clear: bool) -> str:
    """Say the best cell, the worst cell, and how many cells hold a single trial.

    Args:
        table: rows from `heatmap_table`.
        x: setting on the horizontal axis.
        y: setting on the vertical axis.
        metric: the loss.
        clear: whether the cells are shown to differ by more than chance.
    """
    if table.is_empty():
        return f"No trial with a finite loss has both {x} and {y}."
    ranked = table.sort("mean")
    best, worst = ranked.row(0, named=True), ranked.row(-1, named=True)
    if ranked.height > 1 and best["mean"] == worst["mean"]:
        return f"All {ranked.height} cells have the same mean {metric.noun}."
    text = (
        f"The lowest mean {metric.noun}, {wording.loss(best['mean'])}, is at {x} {best['x']} with "
        f"{y} {best['y']} ({wording.plural(best['trials'], 'trial')})"
    )
    if ranked.height > 1:
        highest = wording.loss(worst["mean"])
        text += f"; the highest, {highest}, at {x} {worst['x']} with {y} {worst['y']}"
    single = table.filter(pl.col("trials") == 1).height
    if single:
        stand = "stands" if single == 1 else "stand"
        which = f"{single} of {wording.plural(table.height, 'cell')} {stand}"
        if single == table.height:
            which = f"All {single} cells stand" if single > 1 else "The only cell stands"
        text += f". {which} on one trial" + (" each" if single > 1 else "")
    chance = "" if clear else " Chance may make the cells differ as they do."
    return f"{text}.{chance}"


def heatmap_chart(table: pl.DataFrame, x: str, y: str, metric: Metric) -> Chart:
    """Draw cells coloured by mean loss, with mean and number of trials as text."""
    sort_x = table.sort("x_order")["x"].unique(maintain_order=True).to_list()
    sort_y = table.sort("y_order", descending=True)["y"].unique(maintain_order=True).to_list()
    base = alt.Chart(table).encode(
        x=alt.X("x:O", title=x, sort=sort_x, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("y:O", title=y, sort=sort_y),
    )
    cells = base.mark_rect(stroke="transparent", strokeWidth=2, cornerRadius=3).encode(
        color=alt.Color(
            "mean:Q", title=f"Mean {metric.noun}", scale=alt.Scale(zero=False),
            legend=alt.Legend(gradientLength=180, format=".3~f"),
        ),
        tooltip=[alt.Tooltip("x:N", title=x), alt.Tooltip("y:N", title=y),
                 alt.Tooltip("mean:Q", format=".4f"), alt.Tooltip("best:Q", format=".4f"),
                 alt.Tooltip("trials:Q")],
    )  # fmt: skip
    ink = alt.ColorValue("#ffffff", condition={"test": "datum.light", "value": "#10151b"})
    texts = base.mark_text(fontSize=11.5, lineBreak="\n", lineHeight=15, dy=-6).encode(
        text=alt.Text("text:N"), color=ink
    )
    height = rows(len(sort_y), max(44, 220 // max(1, len(sort_y))))
    return wide(cells, texts, height=height)


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of settings to draw: the usual pair first, then others in the order given."""
    usual = [name for name in FIRST if name in names]
    ordered = [*usual, *(name for name in names if name not in usual)]
    return list(combinations(ordered[:MAX_SETTINGS], 2))


def figure(results: Results) -> Figure | None:
    """Return one panel per pair of settings; None where no pair can be drawn."""
    panels = []
    compared = comparisons(results)
    most = max(1, MAX_PANELS // max(1, len(compared)))
    for common in compared:
        names = by_strength(common.frame, common.settings)
        drawn = pairs(names)[:most]
        evident = cell_evidence(common.frame, drawn)
        for x, y in drawn:
            table = heatmap_table(common.frame, x, y)
            if table.is_empty():
                continue
            clear = evident.get(f"{x} × {y}", False)
            sentence = heatmap_sentence(table, x, y, results.metric, clear=clear)
            panels.append(
                Panel(
                    group=common.name,
                    label=f"{x} × {y}",
                    sentence=f"{common.title}: {sentence} {common.sentence}",
                    chart=heatmap_chart(table, x, y, results.metric),
                    table=table,
                )
            )
    if not panels:
        return None
    usual = " × ".join(FIRST)
    return Figure(
        key="heatmap",
        title=timed("Two settings together", compared),
        panels=tuple(sorted(panels, key=lambda panel: panel.label != usual)[:MAX_PANELS]),
        note="The small figure in a cell is its number of trials; empty cells were never tried.",
    )
