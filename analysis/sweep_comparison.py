"""Several sweeps on one page: which did better, and by more than noise?

Two sweeps are compared as before and after. Where both re-ran winners on fresh seeds, those decide;
otherwise all trials at full budget do, and then the two sweeps' spaces are compared as well.
"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl
from scipy.special import stdtrit

from analysis import words
from analysis.figure import Chart, Figure, Panel
from analysis.headline import headline_table
from analysis.results import FULL_STATUSES, Metric, Results
from analysis.style import rows, wide

CONFIDENCE: Final = 0.95


def whole_trials(results: Results) -> pl.DataFrame:
    """Trials at full budget of every sweep; a trial that two sweeps share counts in both."""
    return results.trials.filter(
        pl.col("status").is_in(FULL_STATUSES)
        & pl.col("rung").eq_missing(results.last_rung)
        & pl.col(results.metric.column).is_not_null()
    )


def sweeps_table(results: Results) -> pl.DataFrame:
    """Best setting of each architecture in each sweep.

    Returns:
        sweep, architecture, mean, margin, seeds, setting, trial_id; in the order of the sweeps.
    """
    settings = sorted({name for names in results.hyperparameters.values() for name in names})
    whole = whole_trials(results)
    parts = [
        headline_table(
            whole.filter(sweep=name), settings, results.metric.column, results.varied
        ).select(
            pl.lit(name).alias("sweep"),
            "architecture", "mean", "margin", "seeds", "setting", "trial_id",
        )
        for name in results.sweeps
    ]  # fmt: skip
    return pl.concat(parts)


def before_after_table(
    whole: pl.DataFrame, before: str, after: str, column: str = "val_loss"
) -> pl.DataFrame:
    """Change of each architecture from one sweep to another, with Welch's 95 % interval.

    Args:
        whole: Trials at full budget of both sweeps.
        before: Name of the earlier sweep.
        after: Name of the later one.
        column: The loss.

    Returns:
        architecture, before, after (mean losses), change, low, high, verdict (`better`, `worse`,
        `within noise`, `unknown`), basis (`fresh seeds` or `full-budget trials`), trials_before,
        trials_after.
    """
    found = []
    for name in whole["architecture"].unique().sort():
        own = whole.filter(architecture=name)
        pair = [own.filter(sweep=sweep) for sweep in (before, after)]
        fresh = [frame.filter(cohort="confirm") for frame in pair]
        seeded = all(frame.height >= 2 for frame in fresh)
        samples = [frame[column].to_numpy() for frame in (fresh if seeded else pair)]
        if not all(len(sample) for sample in samples):
            continue
        found.append(
            {
                "architecture": name,
                **_welch(*samples),
                "basis": "fresh seeds" if seeded else "full-budget trials",
            }
        )
    schema = {
        "architecture": pl.String, "before": pl.Float64, "after": pl.Float64,
        "change": pl.Float64, "low": pl.Float64, "high": pl.Float64, "verdict": pl.String,
        "basis": pl.String, "trials_before": pl.Int64, "trials_after": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def _welch(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Difference of two means with unequal spreads."""
    change = float(after.mean() - before.mean())
    out: dict[str, Any] = {
        "before": float(before.mean()), "after": float(after.mean()), "change": change,
        "low": None, "high": None, "verdict": "unknown",
        "trials_before": len(before), "trials_after": len(after),
    }  # fmt: skip
    if min(len(before), len(after)) < 2:
        return out
    parts = np.array([sample.var(ddof=1) / len(sample) for sample in (before, after)])
    if not parts.sum() > 0:
        return out
    degrees = parts.sum() ** 2 / (parts**2 / np.array([len(before) - 1, len(after) - 1])).sum()
    error = float(stdtrit(degrees, 0.5 + CONFIDENCE / 2) * np.sqrt(parts.sum()))
    verdict = "better" if change < -error else "worse" if change > error else "within noise"
    return out | {"low": change - error, "high": change + error, "verdict": verdict}


def before_after_sentence(table: pl.DataFrame, before: str, after: str, metric: Metric) -> str:
    """What changed from one to the other."""
    if table.is_empty():
        return f"{before} and {after} share no architecture with trials at full budget."
    parts = [
        f"{row['architecture']} {words.signed(row['change'])} ({row['verdict']})"
        for row in table.sort("change").iter_rows(named=True)
    ]
    return f"From {before} to {after} the {metric.noun} changed: {words.listing(parts)}."


def before_after_chart(table: pl.DataFrame) -> Chart:
    """Changes with intervals around zero; left is better."""
    y = alt.Y("architecture:N", title=None)
    zero = (
        alt.Chart(pl.DataFrame({"at": [0.0]}))
        .mark_rule(strokeDash=[3, 3])
        .encode(x=alt.X("at:Q", title="Change in loss (left is better)"))
    )
    base = alt.Chart(table).encode(y=y)
    whiskers = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    points = base.mark_point(size=90, opacity=1).encode(
        x=alt.X("change:Q"),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("change:Q", format="+.4f"),
            alt.Tooltip("verdict:N"),
            alt.Tooltip("basis:N"),
        ],
    )
    return wide(zero, whiskers, points, height=rows(table.height, 36))


def sweeps_chart(table: pl.DataFrame, sweeps: Sequence[str], metric: Metric) -> Chart:
    """Best setting of each architecture, one mark a sweep."""
    base = alt.Chart(table).encode(y=alt.Y("architecture:N", title=None))
    hue = alt.Color("sweep:N", title=None, scale=alt.Scale(domain=list(sweeps)))
    offset = alt.YOffset("sweep:N", sort=list(sweeps))
    ends = table.with_columns(
        low=pl.col("mean") - pl.col("margin"), high=pl.col("mean") + pl.col("margin")
    )
    whiskers = alt.Chart(ends).mark_rule(strokeWidth=2).encode(
        y=alt.Y("architecture:N", title=None), yOffset=offset, color=hue,
        x=alt.X("low:Q", scale=alt.Scale(zero=False)), x2=alt.X2("high:Q"),
    )  # fmt: skip
    points = base.mark_point(size=80, opacity=1).encode(
        x=alt.X("mean:Q", title=metric.label, scale=alt.Scale(zero=False)),
        yOffset=offset,
        color=hue,
        shape=alt.Shape("sweep:N", title=None, scale=alt.Scale(domain=list(sweeps))),
        tooltip=[alt.Tooltip("sweep:N"), alt.Tooltip("architecture:N"),
                 alt.Tooltip("mean:Q", format=".4f"), alt.Tooltip("setting:N")],
    )  # fmt: skip
    height = rows(table["architecture"].n_unique(), 22 * max(2, len(sweeps)))
    return wide(whiskers, points, height=height)


def figure(results: Results) -> Figure | None:
    """Null unless there are several sweeps."""
    if len(results.sweeps) < 2:
        return None
    table = sweeps_table(results)
    panels = [
        Panel(
            label="Best settings",
            sentence=(
                f"{words.plural(len(results.sweeps), 'sweep')}: {words.listing(results.sweeps)}. "
                "Each mark is an architecture's best setting in one of them."
            ),
            chart=None if table.is_empty() else sweeps_chart(table, results.sweeps, results.metric),
            table=table,
            show_table=True,
        )
    ]
    first, last = results.sweeps[0], results.sweeps[-1]
    change = before_after_table(whole_trials(results), first, last, results.metric.column)
    panels.append(
        Panel(
            label="Before and after",
            sentence=before_after_sentence(change, first, last, results.metric),
            chart=None if change.is_empty() else before_after_chart(change),
            table=change,
            show_table=not change.is_empty(),
        )
    )
    return Figure(
        key="sweeps",
        title="Sweeps compared",
        panels=tuple(panels),
        note="Intervals are Welch's at 95 %, over fresh seeds where both sweeps have two or more.",
    )
