"""What did the sweep cost, and what became of its trials?"""

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import STATUS_COLORS, rows, wide
from picosweep.analysis.results import Results
from picosweep.sweeps.store.tables import STATUSES

MIN_WRITTEN: Final = 0.04
"""Share of the longest bar below which a number does not fit into its segment."""
DARK_INK: Final = "indexof(['stopped', 'diverged', 'running'], datum.status) >= 0"
_NO_COST = pl.col("status") == "cached"


def spend_table(trials: pl.DataFrame) -> pl.DataFrame:
    """Return one row per architecture: trials by status, tokens, FLOPs and busy seconds.

    A cached trial was answered from an earlier sweep, so it counts as a trial and costs nothing.
    """
    cost = [
        pl.col(name).filter(~_NO_COST).sum().alias(name) for name in ("tokens", "flops", "seconds")
    ]
    by_status = [(pl.col("status") == status).sum().alias(status) for status in STATUSES]
    return (
        trials.group_by("architecture")
        .agg(pl.len().alias("trials"), *by_status, *cost)
        .sort("architecture")
    )


def wall_seconds(trials: pl.DataFrame) -> float | None:
    """Return the time from each sweep's first start to its last end, summed; None if unknown."""
    spans = trials.group_by("sweep").agg(
        span=(pl.col("end_time").max() - pl.col("start_time").min()).dt.total_milliseconds()
    )
    known = spans["span"].drop_nulls()
    return float(known.sum()) / 1000 if len(known) else None


def busy_share(sessions: Sequence[Mapping[str, object]]) -> float | None:
    """Return the share of the slots' time in training and evaluation; None if unknown."""
    known = [
        (busy, wall * slots)
        for session in sessions
        for busy, wall, slots in [
            [wording.number(session.get(key)) for key in ("busy_seconds", "wall_seconds", "slots")]
        ]
        if busy is not None and wall and slots
    ]
    total = sum(available for _, available in known)
    return sum(busy for busy, _ in known) / total if total else None


def spend_sentence(table: pl.DataFrame, wall: float | None, busy: float | None = None) -> str:
    """Say in one line how many trials ran and what they cost."""
    total = table.drop("architecture").sum().row(0, named=True)
    parts = [f"{total[status]:,} {status}" for status in STATUSES if total[status]]
    text = f"{wording.plural(total['trials'], 'trial')}: {wording.listing(parts)}."
    text += (
        f" Together they trained on {wording.count(total['tokens'])} tokens "
        f"({wording.count(total['flops'])}FLOP)"
    )
    text += f" in {wording.duration(total['seconds'])} of busy time"
    if wall:
        text += f", {wording.duration(wall)} on the clock"
    text += "."
    if busy is not None:
        text += f" The slots were training or evaluating {wording.percent(busy)} of the time."
    return text


def spend_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw the trials of each architecture by status."""
    present = [status for status in STATUSES if table[status].sum()]
    long = table.select("architecture", *present).unpivot(
        index="architecture", variable_name="status", value_name="trials"
    )
    long = long.with_columns(
        rank=pl.col("status").replace_strict(present, range(len(present)), return_dtype=pl.Int64)
    )
    colors = alt.Scale(domain=present, range=[STATUS_COLORS[status] for status in present])
    bars = (
        alt.Chart(long)
        .mark_bar(height=18)
        .encode(
            x=alt.X("trials:Q", title="Trials", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("architecture:N", sort=list(architectures), title=None),
            color=alt.Color("status:N", title=None, sort=present, scale=colors),
            order=alt.Order("rank:Q"),
            tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("status:N"),
                     alt.Tooltip("trials:Q")],
        )
    )  # fmt: skip
    least = MIN_WRITTEN * (wording.number(table["trials"].max()) or 0)
    numbers = (
        alt.Chart(long.filter(pl.col("trials") >= least))
        .mark_text(fontSize=12, fontWeight=600)
        .encode(
            x=alt.X("trials:Q", stack="zero", bandPosition=0.5),
            y=alt.Y("architecture:N", sort=list(architectures)),
            order=alt.Order("rank:Q"),
            text=alt.Text("trials:Q"),
            color=alt.ColorValue("#ffffff", condition={"test": DARK_INK, "value": "#10151b"}),
        )
    )
    return wide(bars, numbers, height=rows(table.height, 34))


def figure(results: Results) -> Figure:
    """Return what was spent, by architecture, as a figure."""
    table = spend_table(results.trials)
    sentence = spend_sentence(table, wall_seconds(results.trials), busy_share(results.sessions))
    return Figure(
        key="spend",
        title="What it cost",
        panels=(
            Panel(sentence=sentence, chart=spend_chart(table, results.architectures), table=table),
        ),
        note="Busy time is time in training and evaluation, summed over trials that ran at once.",
    )
