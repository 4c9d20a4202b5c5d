"""Two sweeps as before and after: what changed, and by more than noise?

Where both sweeps re-ran winners on fresh seeds, those decide; otherwise all trials at full budget
do, and then the two sweeps' spaces are compared as well. Two searches of one space find two
settings, of which one is better: `search_lead` says whether that is all there is to a change.
Intervals and p-values are for all architectures at once at 95 % (Bonferroni).
"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl
from scipy.special import stdtrit

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import FULL_STATUSES, Metric, Results
from picosweep.analysis.statistics.search_luck import search_lead

CONFIDENCE: Final = 0.95


def whole_trials(results: Results) -> pl.DataFrame:
    """Return trials at their sweep's full budget; one that two sweeps share counts in both."""
    last = results.trials.select(pl.col("rung").eq_missing(pl.col("rung").max().over("sweep")))
    return results.trials.filter(
        last.to_series()
        & pl.col("status").is_in(FULL_STATUSES)
        & pl.col(results.metric.column).is_not_null()
    )


def before_after_table(
    whole: pl.DataFrame,
    before: str,
    after: str,
    column: str = "val_loss",
    settings: Sequence[str] = (),
    trials: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the change of each architecture between two sweeps, with Welch's interval.

    Args:
        whole: trials at full budget of both sweeps.
        before: name of the earlier sweep.
        after: name of the later sweep.
        column: loss column that is compared.
        settings: hyperparameter columns; with them, of several settings that ran on fresh seeds
            the best one of each sweep counts.
        trials: all trials of both sweeps, for the luck of the search; None: it is not looked at.

    Returns:
        architecture, before, after (mean losses), change, low, high, verdict (`better`, `worse`,
        `luck of the search`, `within noise`, `unknown`), basis (`fresh seeds` or `full-budget
        trials`), trials_before, trials_after.
    """
    found = []
    names = whole.filter(pl.col("sweep").is_in([before, after]))["architecture"].unique().sort()
    level = 1 - (1 - CONFIDENCE) / max(1, len(names))
    for name in names:
        own = whole.filter(architecture=name)
        pair = [own.filter(sweep=sweep) for sweep in (before, after)]
        fresh = [_winner(frame.filter(cohort="confirm"), column, settings) for frame in pair]
        seeded = all(frame.height >= 2 for frame in fresh)
        samples = [frame[column].to_numpy() for frame in (fresh if seeded else pair)]
        if not all(len(sample) for sample in samples):
            continue
        change = _welch(*samples, level=level)
        if seeded and trials is not None and not _same_setting(fresh, settings):
            lead = search_lead(trials.filter(architecture=name), column, "sweep")
            is_luck = lead is None or lead.share > 1 - level
            if change["verdict"] in ("better", "worse") and is_luck:
                change["verdict"] = "luck of the search"
        basis = "fresh seeds" if seeded else "full-budget trials"
        found.append({"architecture": name, **change, "basis": basis})
    schema = {
        "architecture": pl.String, "before": pl.Float64, "after": pl.Float64,
        "change": pl.Float64, "low": pl.Float64, "high": pl.Float64, "verdict": pl.String,
        "basis": pl.String, "trials_before": pl.Int64, "trials_after": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def _winner(fresh: pl.DataFrame, column: str, settings: Sequence[str]) -> pl.DataFrame:
    """Return the trials of the setting with the lowest mean over at least two fresh seeds."""
    if not settings:
        return fresh
    means = fresh.group_by(*settings, maintain_order=True).agg(
        seeds=pl.len(), mean=pl.col(column).mean()
    )
    best = means.filter(pl.col("seeds") >= 2).sort("mean").head(1)
    return fresh.join(best.select(settings), on=list(settings), nulls_equal=True, how="semi")


def _same_setting(fresh: Sequence[pl.DataFrame], settings: Sequence[str]) -> bool:
    """Return whether both sweeps found one setting: then no search stands between them."""
    first, second = (frame.select(settings).unique() for frame in fresh)
    return first.equals(second)


def _welch(before: np.ndarray, after: np.ndarray, *, level: float) -> dict[str, Any]:
    """Compare two means with unequal spreads; without an interval the verdict is `unknown`."""
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
    error = float(stdtrit(degrees, 0.5 + level / 2) * np.sqrt(parts.sum()))
    verdict = "better" if change < -error else "worse" if change > error else "within noise"
    return out | {"low": change - error, "high": change + error, "verdict": verdict}


def before_after_sentence(table: pl.DataFrame, before: str, after: str, metric: Metric) -> str:
    """Say by how much each architecture's mean loss changed."""
    if table.is_empty():
        return f"{before} and {after} share no architecture with trials at full budget."
    words = {"luck of the search": "another search may explain it"}
    parts = [
        f"{row['architecture']} {wording.signed(row['change'])} "
        f"({words.get(row['verdict'], row['verdict'])})"
        for row in table.sort("change").iter_rows(named=True)
    ]
    basis = wording.listing([name.lower() for name in table["basis"].unique().sort()])
    return (
        f"From {before} to {after} the mean {metric.noun} over {basis} changed: "
        f"{wording.listing(parts)}."
    )


def before_after_chart(table: pl.DataFrame) -> Chart:
    """Draw the changes with intervals around zero; left is better."""
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


def change_table(results: Results) -> pl.DataFrame:
    """Return `before_after_table` from the first sweep to the last one."""
    settings = results.setting_names
    first, last = results.sweeps[0], results.sweeps[-1]
    whole = whole_trials(results)
    column = results.metric.column
    return before_after_table(whole, first, last, column, settings, results.trials)


def panel(results: Results) -> Panel:
    """Return the change from the first sweep to the last one as a panel."""
    first, last = results.sweeps[0], results.sweeps[-1]
    table = change_table(results)
    return Panel(
        label="Before and after",
        sentence=before_after_sentence(table, first, last, results.metric),
        chart=None if table.is_empty() else before_after_chart(table),
        table=table,
        show_table=not table.is_empty(),
    )
