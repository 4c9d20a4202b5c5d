"""Which combinations of settings are the good ones? Every trial as a line across its settings.

A setting that an architecture does not have is drawn below the axes, so a conditional trial keeps
its line instead of being dropped.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, pickable, when, wide
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.bins import binned
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import LEVEL, more_common_than_chance
from picosweep.analysis.statistics.linear_model import is_logarithmic

MAX_SETTINGS: Final = 10
MAX_TRIALS: Final = 240
ABSENT_PLACE: Final = -0.22
BEST: Final = 0.15
MIN_BEST: Final = 3
COMMON: Final = 0.6


def parallel_coordinates_table(
    frame: pl.DataFrame, settings: Sequence[str], seed: int = 0
) -> pl.DataFrame:
    """Return one row per trial and axis.

    Args:
        frame: one row per trial, with `architecture`, `trial_id`, `loss` and the settings.
        settings: hyperparameters in the order of the axes; the loss becomes the last axis.
        seed: seed of the draw of trials when there are more than 240; of the best 15 % the first
            120 are always kept.

    Returns:
        trial_id, architecture, axis, rank (the axis's position), value (label), place (0 to 1;
        -0.22 for a setting that the trial does not have), loss, best.
    """
    ranked = frame.sort("loss", "trial_id")
    cut = min(ranked.height, max(MIN_BEST, round(BEST * ranked.height)))
    best, rest = ranked.head(cut), ranked.tail(ranked.height - cut)
    kept = best.head(MAX_TRIALS // 2)
    others = min(rest.height, MAX_TRIALS - kept.height)
    kept = pl.concat([kept, rest.sample(others, seed=seed)])
    parts = []
    for rank, name in enumerate([*settings, "loss"]):
        labels = [wording.loss(v) if name == "loss" else wording.setting(v) for v in kept[name]]
        parts.append(
            kept.select("trial_id", "architecture", "loss").with_columns(
                axis=pl.lit(name),
                rank=pl.lit(rank),
                value=pl.Series(labels, dtype=pl.String),
                place=_places(kept[name]).fill_null(ABSENT_PLACE),
                best=pl.Series([True] * min(cut, MAX_TRIALS // 2) + [False] * others),
            )
        )
    return pl.concat(parts).with_columns(
        value=pl.when(pl.col("place") < 0).then(pl.lit("not a setting of it")).otherwise("value")
    )


def _places(values: pl.Series) -> pl.Series:
    """Return each value's place from 0 to 1 along its axis."""
    if values.dtype.is_numeric():
        number = values.log10() if is_logarithmic(values) else values.cast(pl.Float64)
    else:
        number = binned(values)["order"].cast(pl.Float64)
    known = number.drop_nulls().to_numpy()
    span = float(np.ptp(known)) if len(known) else 0.0
    places: pl.Series = (number - known.min()) / span if span else number * 0 + 0.5
    return places


def axis_ends_table(table: pl.DataFrame) -> pl.DataFrame:
    """Return the least and largest value of each axis, to write at its ends."""
    present = table.filter(pl.col("place") >= 0)
    ends = [
        present.filter(pl.col("place") == pl.col("place").max().over("axis")).with_columns(
            place=pl.lit(1.0), top=pl.lit(value=True)
        ),
        present.filter(pl.col("place") == pl.col("place").min().over("axis")).with_columns(
            place=pl.lit(0.0), top=pl.lit(value=False)
        ),
    ]
    return (
        pl.concat(ends)
        .unique(["axis", "top"], keep="first", maintain_order=True)
        .select("axis", "rank", "value", "place", "top")
    )


def in_common_table(
    frame: pl.DataFrame, best: pl.DataFrame, settings: Sequence[str]
) -> pl.DataFrame:
    """Return the values that the best trials share by more than chance.

    As many of the best as have a value, or more, have to be unlikely (5 % for all values of all
    settings together, Bonferroni) were the best any trials. Values that a single trial has are not
    looked at.

    Args:
        frame: one row per trial, with the settings.
        best: those of its rows that are the best trials.
        settings: hyperparameters, `architecture` among them or not.

    Returns:
        setting, value (label), times (best trials with it), best, overall (trials with it), trials;
        the least likely first.
    """
    found = []
    looked_at = 0
    for name in settings:
        counts = frame[name].drop_nulls().value_counts().filter(pl.col("count") > 1)
        if frame[name].n_unique() < 2:
            continue
        for value, overall in counts.iter_rows():
            looked_at += 1
            times = best.filter(pl.col(name) == value).height
            chance = more_common_than_chance(times, best.height, overall, frame.height)
            found.append(
                {
                    "setting": name,
                    "value": wording.setting(value),
                    "times": times,
                    "best": best.height,
                    "overall": overall,
                    "trials": frame.height,
                    "chance": chance,
                }
            )
    schema = {
        "setting": pl.String,
        "value": pl.String,
        "times": pl.Int64,
        "best": pl.Int64,
        "overall": pl.Int64,
        "trials": pl.Int64,
        "chance": pl.Float64,
    }
    table = pl.DataFrame(found, schema=schema)
    shared = (pl.col("times") >= COMMON * best.height) & (pl.col("chance") * looked_at <= LEVEL)
    return table.filter(shared).sort("chance", "setting", "value").drop("chance")


def parallel_coordinates_sentence(table: pl.DataFrame, frame: pl.DataFrame) -> str:
    """Say which values the best trials share more often than trials in general.

    Args:
        table: rows from `parallel_coordinates_table`, which mark the best trials.
        frame: trials that the table was made from; their shares are what the best are compared to.
    """
    best = frame.filter(
        pl.col("trial_id").is_in(table.filter("best")["trial_id"].unique().to_list())
    )
    axes = table.filter(pl.col("axis") != "loss").sort("rank")["axis"].unique(maintain_order=True)
    common = in_common_table(frame, best, list(dict.fromkeys(["architecture", *axes])))
    if common.is_empty():
        return (
            f"The best {best.height} of {wording.plural(frame.height, 'trial')} are not shown to "
            "have anything in common."
        )
    parts = [
        f"{row['setting']} {row['value']} ({row['times']} of {row['best']}, against "
        f"{row['overall']} of {row['trials']} in all)"
        for row in common.head(3).iter_rows(named=True)
    ]
    return f"What the best {best.height} trials have in common: {wording.listing(parts)}."


def parallel_coordinates_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw lines across axes, heavy ones for the best trials."""
    order = table.sort("rank")["axis"].unique(maintain_order=True).to_list()
    x = alt.X("axis:N", sort=order, title=None,
              axis=alt.Axis(labelAngle=-25, domain=False, ticks=False, grid=True, labelLimit=130,
                        labelOverlap=False),
              scale=alt.Scale(type="point", padding=0.4))  # fmt: skip
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.26, 1.08]))
    base = alt.Chart(table).encode(
        x=x,
        y=y,
        detail=alt.Detail("trial_id:N"),
        order=alt.Order("rank:Q"),
        color=color(architectures),
    )
    thin = (
        base.transform_filter("!datum.best")
        .mark_line()
        .encode(
            strokeWidth=alt.StrokeWidthValue(**when(1, (PICKED, 4))),
            opacity=alt.OpacityValue(**when(0.16, (PICKED, 1))),
        )
    )
    heavy = (
        base.transform_filter("datum.best")
        .mark_line(opacity=0.85)
        .encode(strokeWidth=alt.StrokeWidthValue(**when(2, (PICKED, 5))))
    )
    points = base.transform_filter("datum.best").mark_point(size=26, opacity=1).encode(
        tooltip=[alt.Tooltip("trial_id:N"), alt.Tooltip("architecture:N"), alt.Tooltip("axis:N"),
                 alt.Tooltip("value:N"), alt.Tooltip("loss:Q", format=".4f")],
    )  # fmt: skip
    ends = alt.Chart(axis_ends_table(table)).encode(x=x, y=y, text=alt.Text("value:N"))
    tops = ends.transform_filter("datum.top").mark_text(fontSize=10.5, dy=-11)
    feet = ends.transform_filter("!datum.top").mark_text(fontSize=10.5, dy=11)
    return wide(thin, heavy, points, tops, pickable(feet), height=320, least=680)


def figure(results: Results) -> Figure | None:
    """Return a panel of all architectures first, then one each; None where nothing varies."""
    varied = [name for names in results.varied.values() for name in names]
    everything = sorted(set(varied), key=lambda name: (-varied.count(name), name))
    panels = []
    compared = comparisons(results, pooled=True)
    for common in compared:
        name = common.name
        own = [setting for setting in everything if name == "All" or setting in common.settings]
        if not own:
            continue
        table = parallel_coordinates_table(common.frame, own[:MAX_SETTINGS])
        panels.append(
            Panel(
                label=name,
                sentence=f"{common.title}: {parallel_coordinates_sentence(table, common.frame)}",
                chart=parallel_coordinates_chart(table, results.architectures),
                table=table.drop("rank"),
            )
        )
    if not panels:
        return None
    return Figure(
        key="parallel-coordinates",
        title=timed("Every trial across its settings", compared),
        panels=tuple(panels),
        note=(
            "Heavy lines are the best 15 % of trials, at least three, at their common rung. The "
            "rail below the axes holds settings that an architecture does not have. Wide numeric "
            "axes are logarithmic."
        ),
    )
