"""What has changed? Scores of an evaluation beside those of a saved one, paired item by item."""

from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.code_scores import SECTIONS, items_of
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.pico.evaluation.scores import HELD_OUT, mean_share, paired_change

_SCHEMA: Final = {
    "section": pl.String, "before": pl.Float64, "after": pl.Float64, "change": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "items": pl.Int64,
}  # fmt: skip


def change_table(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return each section of the code suite before and after, with the paired difference.

    Args:
        before: rows of `evaluations` of one trial at one step.
        after: the same of another, by the same version of the suite.

    Returns:
        section, before, after (means), change, low, high (95 % over the items that both have),
        items.
    """
    found = []
    for section in SECTIONS:
        sides = [items_of(frame, section) for frame in (before, after)]
        change = paired_change(*sides)
        if change is not None:
            means = [mean_share(item.score for item in side).mean for side in sides]
            found.append(
                {
                    "section": section,
                    "before": means[0],
                    "after": means[1],
                    "change": change.mean,
                    "low": change.low,
                    "high": change.high,
                    "items": change.items,
                }
            )
    return pl.DataFrame(found, schema=_SCHEMA)


def figures_table(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return each figure of the text suite before and after.

    Returns:
        section, item, before, after, change.
    """
    sides = [
        frame.filter((pl.col("suite") == "text") & ~pl.col("section").str.ends_with(HELD_OUT))
        .select("section", "item", "score")
        for frame in (before, after)
    ]  # fmt: skip
    joined = (
        sides[0]
        .rename({"score": "before"})
        .join(sides[1].rename({"score": "after"}), on=["section", "item"], maintain_order="left")
    )
    return joined.with_columns(change=pl.col("after") - pl.col("before"))


def change_sentence(table: pl.DataFrame) -> str:
    """Say which sections differ by more than their items would make them."""
    clear = [
        f"{row['section']} {wording.percent(row['before'])} to {wording.percent(row['after'])}"
        for row in table.iter_rows(named=True)
        if row["low"] > 0 or row["high"] < 0
    ]
    open_ones = table.height - len(clear)
    if not clear:
        return f"No section has changed by more than another choice of items would ({open_ones})."
    rest = f"; in {wording.plural(open_ones, 'other')} no change is shown" if open_ones else ""
    return f"Changed: {wording.listing(clear)}{rest}."


def figures_sentence(table: pl.DataFrame) -> str:
    """Say how bits per byte and memorisation have moved."""
    row = table.filter(section="bits per byte", item="validation")
    if row.is_empty():
        return "Figures of the text suite before and after."
    found = row.row(0, named=True)
    return (
        f"Bits per byte on unseen text: {wording.significant(found['before'])} before, "
        f"{wording.significant(found['after'])} after; one evaluation each, without an interval."
    )


def change_chart(table: pl.DataFrame) -> Chart:
    """Draw each section's difference with its interval."""
    base = alt.Chart(table).encode(
        y=alt.Y("section:N", title=None, sort=list(SECTIONS)),
        x=alt.X("change:Q", title="Change of the share", axis=alt.Axis(format="+%")),
        tooltip=[
            alt.Tooltip("section:N"),
            *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("before", "after", "change")),
            alt.Tooltip("low:Q", format=".1%"),
            alt.Tooltip("high:Q", format=".1%"),
            alt.Tooltip("items:Q"),
        ],
    )
    zero = alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(strokeDash=[3, 3]).encode(x="at:Q")
    spans = base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q")
    points = base.mark_point(filled=True, size=80, opacity=1)
    return wide(zero, spans, points, height=rows(table.height, 26))


def figure(name: str, before: pl.DataFrame, after: pl.DataFrame) -> Figure | None:
    """Return the change from a saved evaluation; None where they have no item in common."""
    changes, figures = change_table(before, after), figures_table(before, after)
    panels = []
    if not changes.is_empty():
        panels.append(
            Panel(
                label="code",
                sentence=change_sentence(changes),
                chart=change_chart(changes),
                table=changes,
            )
        )
    if not figures.is_empty():
        panels.append(
            Panel(label="text", sentence=figures_sentence(figures), table=figures, show_table=True)
        )
    if not panels:
        return None
    return Figure(
        key="score-changes",
        title=f"Before and after: {name}",
        panels=tuple(panels),
        note="Differences are paired by item; 95 % intervals over the items (Student).",
    )
