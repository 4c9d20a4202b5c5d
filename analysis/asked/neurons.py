"""Which neurons tell groups of texts apart? Chosen on one half of them, measured on the other."""

from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide

LEVEL: Final = 0.05


def neurons_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one trial's chosen neurons, the most selective first.

    Returns:
        unit (`layer.unit`), text_group, higher, chosen_by, selectivity, chance, p_value.
    """
    unit = pl.format("{}.{}", pl.col("layer"), pl.col("unit"))
    return frame.sort("selectivity", descending=True).select(
        unit.alias("unit"), "text_group", "higher", "chosen_by", "selectivity", "chance", "p_value"
    )


def neurons_sentence(name: str, table: pl.DataFrame, frame: pl.DataFrame) -> str:
    """Say how many of the chosen neurons tell groups apart, and how well the best does."""
    clear = table.filter(pl.col("p_value") <= LEVEL)
    looked_at = wording.plural(int(frame["units_looked_at"][0]), "unit")
    kind = frame["unit_kind"][0]
    best = table.row(0, named=True)
    if clear.is_empty():
        return (
            f"{name}: of {looked_at} ({kind}) none is shown to tell the groups apart on texts it "
            f"was not chosen by; the best explains {wording.percent(best['selectivity'])}, and "
            f"chance alone gives up to {wording.percent(best['chance'])}."
        )
    side = "above" if best["higher"] else "below"
    return (
        f"{name}: {clear.height} of the {table.height} chosen among {looked_at} ({kind}) tell the "
        f"groups apart on texts they were not chosen by. The best, {best['unit']}, is {side} the "
        f"others in {best['text_group']}: groups explain {wording.percent(best['selectivity'])} of "
        f"its variance there, where chance gives up to {wording.percent(best['chance'])}."
    )


def neurons_chart(table: pl.DataFrame) -> Chart:
    """Draw each neuron's selectivity on either half, and what chance gives."""
    order = table["unit"].to_list()
    base = alt.Chart(table).encode(
        y=alt.Y("unit:N", title="Layer.unit", sort=order),
        tooltip=[
            alt.Tooltip("unit:N"),
            alt.Tooltip("text_group:N"),
            alt.Tooltip("higher:N"),
            alt.Tooltip("selectivity:Q", format=".1%"),
            alt.Tooltip("chosen_by:Q", format=".1%"),
            alt.Tooltip("chance:Q", format=".1%"),
            alt.Tooltip("p_value:Q", format=".4f"),
        ],
    )
    x = alt.X("selectivity:Q", title="Share of variance between groups", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 1]))  # fmt: skip
    points = base.mark_point(filled=True, size=80, opacity=1).encode(x=x)
    chosen = base.mark_point(filled=False, size=50, opacity=0.8).encode(x=alt.X("chosen_by:Q"))
    chance = base.mark_tick(thickness=3, size=16, color="#d1603d").encode(x=alt.X("chance:Q"))
    return wide(chance, chosen, points, height=rows(table.height, 24))


def _panel(name: str, frame: pl.DataFrame) -> Panel:
    table = neurons_table(frame)
    return Panel(
        label=name,
        sentence=neurons_sentence(name, table, frame),
        chart=neurons_chart(table),
        table=table,
    )


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial whose neurons were looked at; None for none."""
    panels = asked.panels(asked.latest("probes_neurons"), _panel)
    if not panels:
        return None
    return Figure(
        key="neurons",
        title="Which neurons tell texts apart",
        panels=panels,
        note=(
            "Share of a unit's variance over texts that lies between their groups. Chosen by one "
            "half of the texts (rings), measured on the other (points). Orange: what the best of "
            "the chosen ones has where the labels are dealt anew, 95th percentile of the "
            "dealings; p is the share of them in which the best does as well."
        ),
    )
