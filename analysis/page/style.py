"""Colours, shapes and dashes, chosen once, and the light and dark themes that use them.

Charts name no colours: they ask for the theme's `category`, `ramp` or `diverging` range, so one
chart serves both themes. An architecture always has the same colour, shape and dash; the three say
the same thing, so a reader who cannot tell two colours apart loses nothing.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar, cast

import altair as alt

from picosweep.analysis.page.figure import Chart

Mode = Literal["light", "dark"]
Drawn = TypeVar("Drawn", bound=Chart)

CATEGORY: Final[dict[Mode, list[str]]] = {
    "light": [
        "#0067b1",
        "#c8500a",
        "#00865f",
        "#84307a",
        "#937000",
        "#387a99",
        "#7a5c48",
        "#555f6b",
    ],
    "dark": [
        "#5db1f5",
        "#f5945a",
        "#45cfa2",
        "#ebaddd",
        "#e3bd4e",
        "#8cc9e3",
        "#cda98d",
        "#aab4c0",
    ],
}
"""After Okabe and Ito's palette, darkened and lightened to a contrast of at least 4.5 and 7.

Source: M. Okabe and K. Ito, Color Universal Design, 2008.
"""

SHAPES: Final = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
    "stroke",
)  # fmt: skip
DASHES: Final = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [1, 3], [12, 3], [5, 2, 1, 2, 1, 2])

STATUS_COLORS: Final = {
    "completed": "#2f8f6b", "stopped": "#8a94a0", "diverged": "#d1603d", "failed": "#a8386b",
    "cached": "#5b8fc7", "running": "#c9a227",
}  # fmt: skip
"""Middle tones, legible on white and on black."""

INK: Final[dict[Mode, dict[str, str]]] = {
    "light": {"ink": "#1c2127", "muted": "#57606a", "grid": "#e6e9ed", "line": "#c4cad1"},
    "dark": {"ink": "#e8ebef", "muted": "#9da7b3", "grid": "#272d36", "line": "#454d59"},
}
FONT: Final = '-apple-system, "Segoe UI", Inter, Roboto, "Helvetica Neue", Arial, sans-serif'


def _cycle(values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    return [values[position % len(values)] for position in range(len(names))]


def color(names: Sequence[str], *, legend: bool = True, lines: bool = False) -> alt.Color:
    """Return the encoding of an architecture as a colour.

    Args:
        names: all architectures, in their fixed order.
        legend: whether there is a legend; all layers of a chart must agree on it.
        lines: whether the legend shows strokes, for charts whose lines differ by their dashes.
    """
    key = (
        alt.Legend(symbolType="stroke", symbolStrokeWidth=2.5, symbolSize=500, symbolOpacity=1)
        if lines
        else alt.Legend(symbolOpacity=1)
    )
    return alt.Color(
        "architecture:N",
        title=None,
        scale=alt.Scale(domain=list(names)),
        legend=key if legend else None,
    )


def shape(names: Sequence[str], *, legend: bool = True) -> alt.Shape:
    """Return the encoding of an architecture as a point shape."""
    scale = alt.Scale(domain=list(names), range=_cycle(SHAPES, names))
    return alt.Shape(
        "architecture:N", title=None, scale=scale, legend=alt.Legend() if legend else None
    )


def dash(names: Sequence[str], *, legend: bool = True) -> alt.StrokeDash:
    """Return the encoding of an architecture as a line pattern."""
    scale = alt.Scale(domain=list(names), range=_cycle(DASHES, names))
    return alt.StrokeDash(
        "architecture:N", title=None, scale=scale, legend=alt.Legend() if legend else None
    )


PICKED: Final = "datum.trial_id === trial"
"""True for the trial that the reader has picked anywhere on the page; see `pickable`."""


def pickable(chart: Drawn) -> Drawn:
    """Declare the parameter that `PICKED` reads; the page sets it in all charts at once."""
    with_parameter: Any = chart.add_params(alt.param(name="trial", value=""))
    return cast("Drawn", with_parameter)


def when(value: float, *conditions: tuple[str, float]) -> dict[str, Any]:
    """Return a channel's value, and other values where a test on the datum holds; first wins."""
    tests = [{"test": test, "value": other} for test, other in conditions]
    return {"value": value, "condition": tests}


def wide(*layers: alt.Chart, height: int, least: int = 0) -> Chart:
    """Return layers in one chart that is as wide as its place on the page.

    Altair copies a chart whole for each method called on it, so all properties are set at once.

    Args:
        layers: charts to lay over each other, from the bottom to the top.
        height: height in pixels, without the axes.
        least: width in pixels below which the page scrolls the chart instead of squeezing it.
    """
    properties: dict[str, Any] = {
        "width": "container",
        "height": height,
        "autosize": alt.AutoSizeParams(type="fit-x", contains="padding"),
        "usermeta": {"least": least},
    }
    chart: Chart = (
        layers[0].properties(**properties) if len(layers) == 1 else alt.layer(*layers, **properties)
    )
    return chart


def small_multiples(
    *layers: alt.Chart,
    by: str,
    columns: int,
    size: tuple[int, int | alt.Step],
    sort: Sequence[str] | None = None,
    free: Sequence[Literal["x", "y"]] = (),
) -> Chart:
    """Return one small chart per value of a column, side by side.

    Args:
        layers: charts to lay over each other, from the bottom to the top, all on the same data.
        by: column that decides which chart a row is drawn in.
        columns: most charts side by side; the page takes fewer where it is narrow.
        size: width and height of one chart in pixels; the page changes the width to fill its own.
        sort: order of the values; None: alphabetical.
        free: axes that differ between the charts.
    """
    one = alt.layer(*layers, width=size[0], height=size[1])
    order: Any = alt.Undefined if sort is None else list(sort)
    count = layers[0].data[by].n_unique()
    chart: Chart = one.facet(
        facet=alt.Facet(f"{by}:N", title=None, sort=order),
        columns=balanced(count, columns),
        resolve=alt.Resolve(scale=dict.fromkeys(free, "independent")) if free else alt.Undefined,
    )
    return chart


def balanced(count: int, most: int) -> int:
    """Return how many charts stand in a row, so that no row is much shorter than the others."""
    most = max(1, min(count, most))
    return -(-count // -(-count // most)) if count else 1


def rows(number: int, step: int) -> int:
    """Return the height of `number` rows of bars or labels, `step` pixels each."""
    return step * max(1, number)


def theme(mode: Mode) -> dict[str, Any]:
    """Return the Vega-Lite configuration of one theme."""
    ink = INK[mode]
    words = {"labelFont": FONT, "titleFont": FONT, "labelColor": ink["muted"]}
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 2,
        "view": {"stroke": None, "continuousHeight": 300, "continuousWidth": 480},
        "axis": {
            **words,
            "titleColor": ink["muted"],
            "titleFontWeight": 500,
            "titleFontSize": 12,
            "labelFontSize": 11.5,
            "titlePadding": 10,
            "labelPadding": 5,
            "gridColor": ink["grid"],
            "domainColor": ink["line"],
            "tickColor": ink["line"],
            "tickSize": 4,
            "labelLimit": 160,
        },
        "axisX": {"labelOverlap": True, "labelSeparation": 8},
        "axisY": {"domain": False, "ticks": False},
        "axisYQuantitative": {"tickCount": 6},
        "axisXQuantitative": {"tickCount": 6, "labelFlush": 14},
        "axisBand": {"grid": False},
        "legend": {
            **words,
            "labelColor": ink["ink"],
            "titleColor": ink["muted"],
            "titleFontWeight": 500,
            "labelFontSize": 12,
            "titleFontSize": 11.5,
            "orient": "top",
            "columnPadding": 18,
            "symbolSize": 80,
            "offset": 12,
            "labelLimit": 220,
        },
        "header": {
            **words,
            "labelColor": ink["ink"],
            "labelFontSize": 12.5,
            "labelFontWeight": 600,
            "titleColor": ink["muted"],
        },
        "title": {"font": FONT, "color": ink["ink"], "fontSize": 13, "anchor": "start"},
        "text": {"font": FONT, "fontSize": 11.5, "color": ink["ink"]},
        "rule": {"color": ink["muted"]},
        "style": {"others": {"color": ink["muted"]}},
        "line": {"strokeWidth": 2, "strokeCap": "round", "strokeJoin": "round"},
        "point": {"size": 70, "filled": True, "strokeWidth": 1.5, "color": CATEGORY[mode][0]},
        "bar": {"color": CATEGORY[mode][0], "cornerRadiusEnd": 2},
        "rect": {"color": CATEGORY[mode][0]},
        "tick": {"color": ink["ink"]},
        "area": {"opacity": 0.16},
        "range": {
            "category": CATEGORY[mode],
            "ramp": {"scheme": "viridis"},
            "heatmap": {"scheme": "viridis"},
            "diverging": {"scheme": "blueorange"},
        },
    }


def use_theme(mode: Mode = "light") -> None:
    """Make every Altair chart of this process look as in the report (for notebooks)."""
    config: Any = {"config": theme(mode)}
    alt.theme.register("picosweep", enable=True)(lambda: config)
