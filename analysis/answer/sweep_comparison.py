"""Several sweeps on one page: what is the best setting of each architecture in each of them?"""

from collections.abc import Sequence

import altair as alt
import polars as pl

from picosweep.analysis.answer import before_after
from picosweep.analysis.answer.before_after import whole_trials
from picosweep.analysis.answer.headline import headline_table
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Metric, Results


def sweeps_table(results: Results) -> pl.DataFrame:
    """Return the best setting of each architecture in each sweep.

    Returns:
        sweep, architecture, mean, margin, seeds, setting, trial_id; in the order of the sweeps.
    """
    settings = results.setting_names
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


def sweeps_chart(table: pl.DataFrame, sweeps: Sequence[str], metric: Metric) -> Chart:
    """Draw the best setting of each architecture, one mark per sweep."""
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
    """Return the sweeps side by side as a figure; None unless there are several."""
    if len(results.sweeps) < 2:
        return None
    table = sweeps_table(results)
    best = Panel(
        label="Best settings",
        sentence=(
            f"{wording.plural(len(results.sweeps), 'sweep')}: {wording.listing(results.sweeps)}. "
            "Each mark is an architecture's best setting in one of them."
        ),
        chart=None if table.is_empty() else sweeps_chart(table, results.sweeps, results.metric),
        table=table,
        show_table=True,
    )
    change = before_after.panel(results)
    return Figure(
        key="sweeps",
        title="Sweeps compared",
        panels=(change, best) if results.compared else (best, change),
        note=(
            "Intervals are Welch's, for all architectures at once at 95 %, over fresh seeds where "
            "both sweeps have two or more."
        ),
    )
