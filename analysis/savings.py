"""What did early stopping save?"""

from collections.abc import Sequence

import altair as alt
import polars as pl

from analysis import words
from analysis.figure import Chart, Figure, Panel
from analysis.results import Results
from analysis.style import STATUS_COLORS, rows, wide


def savings_table(results: Results) -> pl.DataFrame:
    """What stopping saved, by architecture: budget that stopped trials did not use.

    Returns:
        architecture, stopped, used, saved (tokens), share (saved of what running all would take).
    """
    full = results.full_budget["tokens"].max()
    new = results.trials.filter(pl.col("status") != "cached")
    stopped = pl.col("status") == "stopped"
    return (
        new.group_by("architecture")
        .agg(
            stopped=stopped.sum(),
            used=pl.col("tokens").sum(),
            saved=(pl.lit(full, dtype=pl.Int64) - pl.col("tokens").filter(stopped)).sum(),
        )
        .with_columns(share=pl.col("saved") / (pl.col("saved") + pl.col("used")))
        .sort("architecture")
    )


def savings_sentence(table: pl.DataFrame) -> str:
    """Tokens saved in all."""
    stopped, saved, used = (int(table[name].sum()) for name in ("stopped", "saved", "used"))
    if not stopped:
        return "Early stopping ended no trial, so it saved nothing."
    return (
        f"Early stopping ended {words.plural(stopped, 'trial')} and saved {words.count(saved)} "
        f"tokens, {words.percent(saved / max(1, saved + used))} of what running every trial to "
        "the end would have taken."
    )


def savings_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Tokens used and saved, by architecture."""
    long = table.select("architecture", "used", "saved").unpivot(
        index="architecture", variable_name="what", value_name="tokens"
    )
    scale = alt.Scale(
        domain=["used", "saved"], range=[STATUS_COLORS["completed"], STATUS_COLORS["stopped"]]
    )
    bars = (
        alt.Chart(long)
        .mark_bar(height=18)
        .encode(
            x=alt.X("tokens:Q", title="Training tokens", axis=alt.Axis(format="~s")),
            y=alt.Y("architecture:N", title=None, sort=list(architectures)),
            color=alt.Color("what:N", title=None, scale=scale, sort=["used", "saved"]),
            order=alt.Order("what:N", sort="descending"),
            tooltip=[
                alt.Tooltip("architecture:N"),
                alt.Tooltip("what:N"),
                alt.Tooltip("tokens:Q", format=".3~s"),
            ],
        )
    )
    return wide(bars, height=rows(table.height, 34))


def figure(results: Results) -> Figure | None:
    """What stopping saved."""
    if results.full_budget.is_empty():
        return None
    table = savings_table(results)
    return Figure(
        key="savings",
        title="What early stopping saved",
        panels=(
            Panel(
                sentence=savings_sentence(table),
                chart=savings_chart(table, results.architectures),
                table=table,
            ),
        ),
        note="Saved: what the stopped trials would have used up to the full budget.",
        half=True,
    )
