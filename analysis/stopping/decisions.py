"""When was which trial stopped, and against which cutoff?"""

from collections.abc import Mapping
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, pickable, small_multiples, when
from picosweep.analysis.results import Metric, Results

ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "continue": ("#2f8f6b", "circle"),
    "stop": ("#d1603d", "cross"),
    "exempt": ("#8a94a0", "triangle-up"),
}
MAX_POINTS: Final = 2000


def decisions_table(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return decisions about a known loss in the order in which they were made.

    Returns:
        architecture, trial_id, at (the rung in words), rung, milestone, minutes (since the
        first), value, cutoff, action; at most 2,000 rows, evenly spaced among all.
    """
    ordered = decisions.filter(pl.col("value").is_not_null()).sort("time", "trial_id")
    every = -(-ordered.height // MAX_POINTS) or 1
    since = pl.col("time") - pl.col("time").min()
    placed = ordered.with_columns(
        at=pl.format("Rung {}", "rung"), minutes=since.dt.total_milliseconds() / 60_000
    )
    return placed.gather_every(every).select(
        "architecture", "trial_id", "at", "rung", "milestone", "minutes", "value", "cutoff",
        "action",
    )  # fmt: skip


def decisions_sentence(decisions: pl.DataFrame) -> str:
    """Say how many trials were stopped at each rung, and how many exempt ones went on."""
    if decisions.is_empty():
        return "No early-stopping decision was recorded."
    by_rung = (
        decisions.group_by("rung")
        .agg(pl.len(), stopped=(pl.col("action") == "stop").sum())
        .sort("rung")
    )
    parts = [
        f"{row['stopped']:,} of {row['len']:,} at rung {row['rung']}"
        for row in by_rung.iter_rows(named=True)
    ]
    exempt = decisions.filter(action="exempt")
    text = f"Stopped: {wording.listing(parts)}."
    if exempt.height:
        trials = exempt["trial_id"].n_unique()
        text += (
            f" {wording.plural(trials, 'exempt trial')} missed a cutoff "
            f"({wording.plural(exempt.height, 'time')} in all) and went on."
        )
    return text


def decisions_chart(table: pl.DataFrame, metric: Metric) -> Chart:
    """Draw loss and cutoff at each decision over time, one chart per rung."""
    colors, shapes = zip(*ACTIONS.values(), strict=True)
    x = alt.X("minutes:Q", title="Minutes since the first", axis=alt.Axis(tickCount=4, grid=False))
    scale = alt.Scale(zero=False)
    base = alt.Chart(table).encode(x=x)
    cutoffs = base.mark_tick(thickness=1.5, size=12, orient="horizontal", opacity=0.5).encode(
        y=alt.Y("cutoff:Q", title=metric.label, scale=scale)
    )
    points = base.mark_point().encode(
        size=alt.SizeValue(**when(50, (PICKED, 300))),
        y=alt.Y("value:Q", scale=scale),
        color=alt.Color("action:N", title=None,
                        scale=alt.Scale(domain=list(ACTIONS), range=list(colors))),
        shape=alt.Shape("action:N", title=None,
                        scale=alt.Scale(domain=list(ACTIONS), range=list(shapes))),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"), alt.Tooltip("rung:O"),
                 alt.Tooltip("value:Q", format=".4f"), alt.Tooltip("cutoff:Q", format=".4f"),
                 alt.Tooltip("action:N")],
    )  # fmt: skip
    return small_multiples(cutoffs, pickable(points), by="at", columns=4, size=(240, 210))


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture, because each has its own rungs; None without any."""
    if results.decisions.is_empty():
        return None
    panels = []
    for name in results.architectures:
        own = results.decisions.filter(architecture=name)
        table = decisions_table(own)
        if table.is_empty():
            continue
        panels.append(
            Panel(
                label=name,
                sentence=f"{name}: {decisions_sentence(own)}",
                chart=decisions_chart(table, results.metric),
                table=table,
            )
        )
    if not panels:
        return None
    return Figure(
        key="decisions",
        title="Every decision",
        panels=tuple(panels),
        note=(
            "Dashes are the cutoffs that trials were held against when they arrived at the rung. "
            "Exempt trials are judged, too, and go on whatever comes of it."
        ),
    )
