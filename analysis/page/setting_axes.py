"""Small charts whose x axes are settings: numbers, logarithms, or choices that are not joined."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.page.figure import Chart
from picosweep.analysis.page.style import balanced

MAX_LETTERS: Final = 26
"""More letters than this on an axis of names, and the names are slanted."""

MAX_CHOICES: Final = 6
"""A number that took no more values than this, some of them twice, was a choice among them."""


def are_choices(values: pl.Series) -> bool:
    """Return whether a setting's values are to be drawn as places of their own, and not joined."""
    known = values.drop_nulls()
    if not known.dtype.is_numeric():
        return True
    return known.n_unique() <= min(MAX_CHOICES, len(known) - 1)


def choices_axis(column: str, sort: Sequence[str]) -> alt.X:
    """Return an x axis that names each value, slanted where the names are long."""
    long = sum(map(len, sort)) > MAX_LETTERS
    axis = alt.Axis(labelAngle=-30 if long else 0, labelOverlap=False, labelLimit=110)
    return alt.X(f"{column}:O", title=None, sort=list(sort), axis=axis)


def number_axis(column: str, *, logarithmic: bool) -> alt.X:
    """Return an x axis for the values of a numeric setting, in its own units."""
    kind: dict[str, Any] = {"type": "log"} if logarithmic else {"zero": False}
    scale = alt.Scale(nice=False, padding=8, **kind)
    axis = alt.Axis(tickCount=4, grid=False, format="~g", labelOverlap=True)
    return alt.X(f"{column}:Q", title=None, scale=scale, axis=axis)


def spanning(*columns: pl.Series) -> alt.Scale:
    """Return a scale over all values of some columns, for charts that do not share one."""
    values = pl.concat([column.drop_nulls().cast(pl.Float64) for column in columns]).to_numpy()
    return alt.Scale(zero=False, domain=[float(values.min()), float(values.max())], nice=True)


def side_by_side(
    charts: Mapping[str, Sequence[alt.Chart]], *, columns: int, size: tuple[int, int]
) -> Chart:
    """Return small charts, each with a kind of x axis of its own: numbers, logarithms or choices.

    Args:
        charts: the layers of each, by its title. All give the same domain to y.
        columns: most charts side by side; the page takes fewer where it is narrow.
        size: width and height of one chart in pixels; the page changes the width to fill its own.
    """
    each = [
        alt.layer(
            *layers,
            width=size[0],
            height=size[1],
            title=alt.TitleParams(title, anchor="middle", fontSize=12.5),
        )
        for title, layers in charts.items()
    ]
    chart: Chart = alt.concat(*each, columns=balanced(len(each), columns))
    return chart
