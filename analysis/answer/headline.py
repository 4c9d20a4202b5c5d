"""Which architecture, with which settings, and how sure?

Fresh seeds decide: the best of many searched trials looks better than it is, because it was chosen
for being lucky. Where the sweep re-ran winners on fresh seeds (cohort `confirm`), only those count.
The seed-to-seed standard deviation is pooled over all settings with two or more fresh seeds, for
three seeds alone say too little about their own spread.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import polars as pl
from scipy.special import stdtrit

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, rows, shape, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.seeds import seed_noise, settings_table

CONFIDENCE: Final = 0.95


def headline_table(
    full_budget: pl.DataFrame,
    settings: Sequence[str],
    column: str = "val_loss",
    shown: Mapping[str, Sequence[str]] | None = None,
) -> pl.DataFrame:
    """Return the best setting of each architecture, best first, with intervals and gaps.

    Args:
        full_budget: trials at the last rung with a finite loss.
        settings: hyperparameter columns; with the architecture they name a setting.
        column: loss column that decides.
        shown: hyperparameters of each architecture to write out; None: all of `settings`.

    Returns:
        architecture, setting (in words), trial_id, seeds, mean, low, high, margin, gap (to the
        best architecture), gap_low, gap_high, verdict (`best`, `worse`, `within noise`,
        `unknown`), bits_per_byte, num_params, flops, seconds.
    """
    everything = settings_table(full_budget, settings, column)
    sd, degrees = seed_noise(everything)
    confirmed = (pl.col("seeds") > 0).any().over("architecture")
    best = (
        everything.filter((pl.col("seeds") > 0) | ~confirmed)
        .sort("mean", "architecture")
        .unique("architecture", keep="first", maintain_order=True)
    )
    quantile = float(stdtrit(degrees, 0.5 + CONFIDENCE / 2)) if degrees else math.nan
    rows: list[dict[str, Any]] = []
    for row in best.iter_rows(named=True):
        first = rows[0] if rows else None
        error = quantile * sd / math.sqrt(row["seeds"]) if row["seeds"] and degrees else None
        out = {
            "architecture": row["architecture"],
            "setting": _in_words(row, shown[row["architecture"]] if shown else settings),
            "trial_id": row["trial_id"],
            "seeds": row["seeds"],
            "mean": row["mean"],
            "low": None if error is None else row["mean"] - error,
            "high": None if error is None else row["mean"] + error,
            "margin": error,
        }
        rows.append(out | _gap(out, first, sd, quantile) | _costs(row))
    return pl.DataFrame(rows, schema=_SCHEMA)


_SCHEMA = {
    "architecture": pl.String,
    "setting": pl.String,
    "trial_id": pl.String,
    "seeds": pl.Int64,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "margin": pl.Float64,
    "gap": pl.Float64,
    "gap_low": pl.Float64,
    "gap_high": pl.Float64,
    "verdict": pl.String,
    "bits_per_byte": pl.Float64,
    "num_params": pl.Int64,
    "flops": pl.Float64,
    "seconds": pl.Float64,
}


def _gap(
    row: Mapping[str, Any], first: Mapping[str, Any] | None, sd: float, quantile: float
) -> dict[str, object]:
    """Return how far a row is behind the best, with the interval of the difference of means."""
    if first is None:
        return {"gap": 0.0, "gap_low": None, "gap_high": None, "verdict": "best"}
    gap = row["mean"] - first["mean"]
    if not (row["seeds"] and first["seeds"]) or math.isnan(quantile):
        return {"gap": gap, "gap_low": None, "gap_high": None, "verdict": "unknown"}
    error = quantile * sd * math.sqrt(1 / row["seeds"] + 1 / first["seeds"])
    verdict = "worse" if gap > error else "within noise"
    return {"gap": gap, "gap_low": gap - error, "gap_high": gap + error, "verdict": verdict}


def _costs(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("bits_per_byte", "num_params", "flops", "seconds")}


def _in_words(row: Mapping[str, Any], settings: Sequence[str]) -> str:
    pairs = [(name, row[name]) for name in settings if row[name] is not None]
    return " · ".join(f"{name} {wording.setting(value)}" for name, value in pairs)


def headline_sentence(table: pl.DataFrame, metric: Metric, noise: tuple[float, int]) -> str:
    """Say who won, by how much, and whether that is more than noise."""
    if table.is_empty():
        return "No trial reached the full budget with a finite loss, so no architecture has won."
    best = table.row(0, named=True)
    loss = wording.loss(best["mean"])
    if best["low"] is not None:
        loss += f" ± {wording.loss(best['high'] - best['mean'])}"
        seeds = f"the mean of {wording.plural(best['seeds'], 'fresh seed')}"
    elif best["seeds"]:
        seeds = wording.plural(best["seeds"], "fresh seed") + ", so without an interval"
    else:
        seeds = "a single searched trial, so a little flattered by being picked"
    text = f"{best['architecture']} reaches the lowest {metric.noun}, {loss} ({seeds})."
    if table.height > 1:
        text += " " + _runner_up(table.row(1, named=True), best)
    if noise[1]:
        deviation = wording.significant(noise[0], 2)
        text += f" Seeds alone move it by {deviation} (one standard deviation)."
    return text


def _runner_up(second: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    gap, name = wording.significant(second["gap"], 2), second["architecture"]
    if second["verdict"] == "worse":
        low, high = (wording.significant(second[key], 2) for key in ("gap_low", "gap_high"))
        return f"{name} is second, {gap} behind ({low} to {high} at 95 %): more than seed noise."
    if second["verdict"] == "within noise":
        return (
            f"{name} is only {gap} behind, which is within seed noise: on this evidence "
            f"{best['architecture']} and {name} cannot be told apart."
        )
    return (
        f"{name} is second, {gap} behind; without two fresh seeds each nobody can say whether that "
        "is more than luck."
    )


def ranking_sentence(table: pl.DataFrame, metric: Metric) -> str:
    """List all architectures in order, each with its gap and whether that is more than noise."""
    if table.is_empty():
        return "No trial reached the full budget with a finite loss."
    meanings = {"worse": "", "within noise": ", within noise", "unknown": ", noise unknown"}
    parts = [
        f"{row['architecture']} {wording.loss(row['mean'])}"
        + (f" ({wording.signed(row['gap'])}{meanings[row['verdict']]})" if index else "")
        for index, row in enumerate(table.iter_rows(named=True))
    ]
    if len(parts) == 1:
        return f"{parts[0]} is the only architecture that finished at full budget."
    return f"In order of {metric.noun}: {wording.listing(parts)}."


def headline_chart(
    table: pl.DataFrame, seeds: pl.DataFrame, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw mean and interval of each architecture's best setting, its single seeds behind."""
    order = table["architecture"].to_list()
    y = alt.Y(
        "architecture:N", sort=order, title=None, axis=alt.Axis(labelFontSize=13, domain=False)
    )
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X("mean:Q", title=metric.label, scale=scale)
    hue = color(architectures, legend=False)
    dots = (
        alt.Chart(seeds)
        .mark_point(size=36, filled=False, opacity=0.6)
        .encode(x=alt.X("loss:Q", title=metric.label, scale=scale), y=y, color=hue)
    )
    whiskers = alt.Chart(table).mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q"), y=y, color=hue
    )  # fmt: skip
    means = (
        alt.Chart(table)
        .mark_point(size=150, opacity=1)
        .encode(
            x=x, y=y, color=hue, shape=shape(architectures, legend=False),
            tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("mean:Q", format=".4f"),
                     alt.Tooltip("seeds:Q"), alt.Tooltip("setting:N")],
        )
    )  # fmt: skip
    return wide(dots, whiskers, means, height=rows(table.height, 46))


def figure(results: Results) -> Figure:
    """Return the best setting of each architecture as a figure."""
    settings = sorted({name for names in results.hyperparameters.values() for name in names})
    column = results.metric.column
    table = headline_table(results.full_budget, settings, column, results.varied)
    keys = ["architecture", *settings]
    fresh = results.full_budget.filter(cohort="confirm")
    winners = results.full_budget.filter(pl.col("trial_id").is_in(table["trial_id"].to_list()))
    seeds = fresh.join(winners.select(keys), on=keys, nulls_equal=True, how="semi").select(
        "architecture", "trial_id", loss=pl.col(column)
    )
    return Figure(
        key="best-settings",
        title="Best setting of each architecture",
        panels=(
            Panel(
                sentence=ranking_sentence(table, results.metric),
                chart=None
                if table.is_empty()
                else headline_chart(table, seeds, results.architectures, results.metric),
                table=table,
                show_table=True,
                columns=(
                    "architecture", "mean", "margin", "gap", "verdict", "seeds", "num_params",
                    "setting", "trial_id",
                ),
            ),
        ),
        note=(
            "Large marks are means over fresh seeds, bars their 95 % intervals from the pooled "
            "seed-to-seed deviation, small rings the single seeds. Gaps are to the best."
        ),
    )  # fmt: skip
