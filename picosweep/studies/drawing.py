"""The pictures of a study's page: charts of its sweeps' reports, and attention as a chart."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import altair as alt
import polars as pl

from picosweep.analysis.images import render_image
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.report import make_sections
from picosweep.analysis.results import load
from picosweep.studies.outcome import Outcome
from picosweep.studies.page import picture_file
from picosweep.studies.study import Picture, Study
from picosweep.sweeps.store.tables import short_id

log = logging.getLogger("picosweep")

HEADS_IN_A_ROW = 2
MAP_SIZE = 250


def draw(
    study: Study, name: str, outcome: Outcome, folders: Mapping[str, Path], target: Path
) -> Iterator[str]:
    """Write the pictures; yield a caption for each, with the trials that it shows."""
    figures = {}
    for sweep in {picture.sweep for picture in study.pictures}:
        sections = make_sections(load(folders[sweep]))
        figures[sweep] = {figure.key: figure for one in sections for figure in one.figures}
    for picture in study.pictures:
        figure = figures[picture.sweep].get(picture.figure)
        panel = None if figure is None else panel_of(figure, picture)
        chart = None if panel is None else chart_of(panel, picture)
        if figure is None or panel is None or chart is None:
            log.warning("%s has no figure %s to show", picture.sweep, picture.figure)
            yield ""
            continue
        (target / picture_file(name, picture)).write_bytes(render_image(chart, "png"))
        best = ", ".join(short_id(one.trial_id) for one in outcome.sweeps[picture.sweep].arms)
        yield f"{figure.title}: {panel.sentence} Best trials: {best}."


def panel_of(figure: Figure, picture: Picture) -> Panel | None:
    """Return the tab of a figure that a picture names; None where there is none."""
    if picture.architecture:
        own = (one for one in figure.panels if one.label.split()[0] == picture.architecture)
        return next(own, None)
    return figure.panels[picture.tab] if picture.tab < len(figure.panels) else None


def chart_of(panel: Panel, picture: Picture) -> Chart | None:
    """Return a tab's chart; of attention, which the report shows as images, one with its tokens."""
    if picture.layer is None:
        return panel.chart
    return None if panel.table is None else attention_chart(panel.table, picture.layer)


def attention_chart(table: pl.DataFrame, layer: int) -> Chart | None:
    """Draw what the heads of a layer look at, with the tokens on both axes; None without any.

    Args:
        table: rows with head (`layer.head`), place, token_text and weights, as the report has them.
        layer: which layer, from 0.
    """
    own = table.filter(pl.col("head").str.starts_with(f"{layer}."))
    if own.is_empty():
        return None
    places = own.unique("place").sort("place")
    order = [
        f"{place:02d} {text}" for place, text in places.select("place", "token_text").iter_rows()
    ]
    frame = pl.DataFrame(
        [
            {
                "head": f"head {row['head']}",
                "looks": order[row["place"]],
                "looked_at": order[at],
                "weight": float(weight),
            }
            for row in own.iter_rows(named=True)
            for at, weight in enumerate(row["weights"].split())
        ]
    )
    axis = alt.Axis(labelLimit=90, labelOverlap=False, labelFontSize=9)
    cells = alt.Chart(frame).mark_rect().encode(
        x=alt.X("looked_at:N", title="looked at", sort=order, axis=axis),
        y=alt.Y("looks:N", title="looks", sort=order, axis=axis),
        color=alt.Color("weight:Q", title="Weight", scale=alt.Scale(range="ramp")),
    )  # fmt: skip
    chart: Chart = cells.properties(width=MAP_SIZE, height=MAP_SIZE).facet(
        facet=alt.Facet("head:N", title=None), columns=HEADS_IN_A_ROW
    )
    return chart
