"""What are tokens to the models? Principal components of their vectors, and nearest neighbours."""

import json
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import wide

CLEAR: Final = 0.3
"""Correlation with log frequency from which a sentence tells it."""


def tokens_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one trial's tokens, the most frequent first.

    Returns:
        token_text, occurrences, seen, component_1, component_2, component_3, near (the nearest
        tokens by angle).
    """
    near = pl.col("neighbours").map_elements(_listed, return_dtype=pl.String)
    return frame.sort("occurrences", descending=True, maintain_order=True).select(
        "token_text",
        "occurrences",
        pl.when(pl.col("occurrences") > 0)
        .then(pl.lit("seen"))
        .otherwise(pl.lit("never seen"))
        .alias("seen"),
        "component_1",
        "component_2",
        "component_3",
        near.alias("near"),
    )


def _listed(neighbours: str) -> str:
    return "  ".join(repr(one) for one in json.loads(neighbours))


def components_sentence(name: str, components: pl.DataFrame) -> str:
    """Say how much the first components explain, beside chance, and whether they are frequency."""
    rows_ = components.sort("component").head(2).to_dicts()
    parts = []
    for row in rows_:
        more = "more than" if row["explained"] > 1.2 * row["baseline"] else "about as much as"
        text = (
            f"component {row['component']} explains {wording.percent(row['explained'])} of the "
            f"variance, {more} in a table without structure ({wording.percent(row['baseline'])})"
        )
        correlation = row["log_frequency"]
        if correlation is not None and abs(correlation) >= CLEAR:
            text += f", and goes with how frequent a token is (r = {correlation:.2f})"
        parts.append(text)
    return f"{name}: {'; '.join(parts)}."


def tokens_chart(table: pl.DataFrame) -> Chart:
    """Draw tokens by their places on the first two components."""
    base = alt.Chart(table).encode(
        x=alt.X("component_1:Q", title="Component 1"),
        y=alt.Y("component_2:Q", title="Component 2"),
        color=alt.Color(
            "occurrences:Q", title="Occurrences", scale=alt.Scale(type="symlog", range="ramp"),
        ),
        shape=alt.Shape(
            "seen:N", title=None, sort=["seen", "never seen"],
            legend=alt.Legend(symbolFillColor="#8a94a0"),
            scale=alt.Scale(range=["circle", "cross"]),
        ),
        tooltip=["token_text:N", "occurrences:Q", "near:N"],
    )  # fmt: skip
    return wide(base.mark_point(filled=True, size=26, opacity=0.75), height=340)


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial whose token table was looked at; None for none."""
    tokens = asked.latest("probes_tokens")

    def panel(name: str, components: pl.DataFrame) -> Panel:
        table = tokens_table(tokens.filter(trial_id=components["trial_id"][0]))
        return Panel(
            label=name,
            sentence=components_sentence(name, components),
            chart=tokens_chart(table),
            table=table,
        )

    panels = asked.panels(asked.latest("probes_components"), panel)
    if not panels:
        return None
    return Figure(
        key="token-vectors",
        title="What tokens are to it",
        panels=panels,
        note=(
            "Principal components of the centred token vectors; signs are fixed by the largest "
            "weight. The table without structure has the same numbers, each column dealt anew. "
            "Crosses never occur in the training data: they are as they were drawn. At most 2,000 "
            "tokens are shown, the most frequent ones; nearest neighbours stand in the data."
        ),
    )
