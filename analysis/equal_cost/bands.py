"""One small chart per architecture: its median and band, with the others' medians in grey."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.page.figure import Chart
from picosweep.analysis.page.style import color, small_multiples

MAX_GREY: Final = 12
"""With more architectures than this, each is drawn alone: the others would be a grey patch."""


def bands_chart(
    table: pl.DataFrame,
    key: str,
    x: alt.X,
    architectures: Sequence[str],
    *,
    title: str,
    steps: bool,
) -> Chart:
    """Draw bands that would hide each other over one another apart, on the same axes.

    Args:
        table: architecture, median, low, high (null: no end), and `key`.
        key: column of what is on the x axis.
        x: that axis.
        architectures: all, in their fixed order.
        title: what the y axis shows.
        steps: whether a median holds until the next; otherwise each is a point with a bar.
    """
    own = [name for name in architectures if name in set(table["architecture"])]
    each = pl.concat(
        [table.with_columns(panel=pl.lit(name), own=pl.col("architecture") == name) for name in own]
    )
    if len(own) > MAX_GREY:
        each = each.filter("own")
    scale = alt.Scale(zero=False)
    y = alt.Y("median:Q", title=title, scale=scale)
    ends = {"y": alt.Y("low:Q", title=title, scale=scale), "y2": alt.Y2("high:Q")}
    hue = color(architectures, legend=False)
    joined: dict[str, Any] = {"interpolate": "step-after"} if steps else {}
    tooltip = [
        alt.Tooltip("architecture:N"),
        alt.Tooltip(f"{key}:Q", format=".3~s"),
        *(alt.Tooltip(f"{column}:Q", format=".4f") for column in ("median", "low", "high")),
    ]
    base = alt.Chart(each).encode(x=x)
    others = base.transform_filter("!datum.own").mark_line(
        strokeWidth=1, opacity=0.6, style="others", **joined
    )
    mine = base.transform_filter("datum.own").encode(color=hue)
    bounded = mine.transform_filter("isValid(datum.high)")
    layers = (
        bounded.mark_area(opacity=0.2, **joined).encode(**ends)
        if steps
        else bounded.mark_rule(strokeWidth=3, opacity=0.35).encode(**ends),
        others.encode(y=y, detail=alt.Detail("architecture:N")),
        mine.mark_line(**joined).encode(y=y),
        mine.mark_point(size=30, opacity=0 if steps else 1).encode(y=y, tooltip=tooltip),
    )
    return small_multiples(*layers, by="panel", columns=3, size=(240, 190), sort=own)
