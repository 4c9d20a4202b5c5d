"""What did early stopping save?"""

from collections.abc import Sequence

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import STATUS_COLORS, rows, wide
from picosweep.analysis.results import Results


def savings_table(results: Results) -> pl.DataFrame:
    """Return what stopping saved, by architecture: budget that stopped trials did not use.

    Returns:
        architecture, stopped (trials), used, saved (tokens, or seconds of training where the
        budget is in seconds), share (saved of what running all would take).
    """
    cost = "training_seconds" if results.in_seconds else "tokens"
    full = results.full_budget[cost].max()
    new = results.trials.filter(pl.col("status") != "cached")
    stopped = pl.col("status") == "stopped"
    return (
        new.group_by("architecture")
        .agg(
            stopped=stopped.sum(),
            used=pl.col(cost).sum(),
            saved=(pl.lit(full, dtype=new.schema[cost]) - pl.col(cost).filter(stopped)).sum(),
        )
        .with_columns(share=pl.col("saved") / (pl.col("saved") + pl.col("used")))
        .sort("architecture")
    )


def savings_sentence(table: pl.DataFrame, *, in_seconds: bool = False) -> str:
    """Say how many tokens, or seconds of training, were saved in all."""
    stopped = int(table["stopped"].sum())
    saved, used = (float(table[name].sum()) for name in ("saved", "used"))
    if not stopped:
        return "Early stopping ended no trial, so it saved nothing."
    amount = f"{wording.count(saved)} tokens"
    if in_seconds:
        amount = f"{wording.duration(saved)} of training"
    return (
        f"Early stopping ended {wording.plural(stopped, 'trial')} and saved {amount}, "
        f"{wording.percent(saved / max(1, saved + used))} of what running every trial to "
        "the end would have taken."
    )


def savings_chart(
    table: pl.DataFrame, architectures: Sequence[str], *, in_seconds: bool = False
) -> Chart:
    """Draw tokens, or seconds of training, used and saved, by architecture."""
    cost, title = (
        ("seconds", "Seconds of training") if in_seconds else ("tokens", "Training tokens")
    )
    long = table.select("architecture", "used", "saved").unpivot(
        index="architecture", variable_name="what", value_name=cost
    )
    scale = alt.Scale(
        domain=["used", "saved"], range=[STATUS_COLORS["completed"], STATUS_COLORS["stopped"]]
    )
    bars = (
        alt.Chart(long)
        .mark_bar(height=18)
        .encode(
            x=alt.X(f"{cost}:Q", title=title, axis=alt.Axis(format="~s")),
            y=alt.Y("architecture:N", title=None, sort=list(architectures)),
            color=alt.Color("what:N", title=None, scale=scale, sort=["used", "saved"]),
            order=alt.Order("what:N", sort="descending"),
            tooltip=[
                alt.Tooltip("architecture:N"),
                alt.Tooltip("what:N"),
                alt.Tooltip(f"{cost}:Q", format=".3~s"),
            ],
        )
    )
    return wide(bars, height=rows(table.height, 34))


def figure(results: Results) -> Figure | None:
    """Return what stopping saved as a figure; None where no trial reached the full budget."""
    if results.full_budget.is_empty():
        return None
    table = savings_table(results)
    return Figure(
        key="savings",
        title="What early stopping saved",
        panels=(
            Panel(
                sentence=savings_sentence(table, in_seconds=results.in_seconds),
                chart=savings_chart(table, results.architectures, in_seconds=results.in_seconds),
                table=table,
            ),
        ),
        note="Saved: what the stopped trials would have used up to the full budget.",
        half=True,
    )
