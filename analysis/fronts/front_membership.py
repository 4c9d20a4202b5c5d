"""Who would still be on the Pareto front if the sweep were run again?"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.fronts.points import front_points, noise_of
from picosweep.analysis.fronts.prices import Price, prices_beside
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, color, pickable, rows, shape, when, wide
from picosweep.analysis.results import Results
from picosweep.sweeps.store.tables import ID_DIGITS, short_id

NUM_RESAMPLES: Final = 300
MAX_TRIALS: Final = 400
MAX_SHOWN: Final = 12
SURE: Final = 0.8


def front_membership_table(
    points: pl.DataFrame, price: Price, column: str, noise: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """Return how often each setting is on the front when settings and noise are drawn again.

    Settings are resampled with replacement and their losses moved by the seed noise, divided by the
    root of their number of fresh seeds; a setting's share is over the resamples that contain it.

    Args:
        points: rows from `front_points`; the 400 of least loss take part.
        price: what the loss is traded against.
        column: loss column of the front.
        noise: seed-to-seed standard deviation of the loss; 0 when it is unknown.
        seed: seed of the resampling and of the noise.

    Returns:
        architecture, trial_id, the price, loss, membership; surest first.
    """
    known = points.drop_nulls([price.column, column]).sort(column).head(MAX_TRIALS)
    known = known.sort(price.column, "trial_id", descending=[price.maximize, False]).select(
        "architecture",
        "trial_id",
        price.column,
        loss=pl.col(column),
        seeds=pl.col("seeds").clip(1),
    )
    if known.is_empty():
        return known.with_columns(membership=pl.lit(None, dtype=pl.Float64))
    generator = np.random.default_rng(seed)
    size = known.height
    counts = generator.multinomial(size, np.full(size, 1 / size), NUM_RESAMPLES)
    noises = noise / np.sqrt(known["seeds"].to_numpy())
    moved = known["loss"].to_numpy() + noises * generator.standard_normal(counts.shape)
    moved = np.where(counts > 0, moved, np.inf)
    # Cheapest first: on the front is what has the least loss at its price and less than all before.
    starts = np.flatnonzero(np.concatenate([[True], np.diff(known[price.column].to_numpy()) != 0]))
    group = np.repeat(np.arange(len(starts)), np.diff([*starts, size]))
    least = np.minimum.reduceat(moved, starts, axis=1)
    before = np.minimum.accumulate(
        np.concatenate([np.full((NUM_RESAMPLES, 1), np.inf), least], axis=1), axis=1
    )
    on_front = (moved == least[:, group]) & (moved < before[:, group])
    times = (counts > 0).sum(axis=0)
    return known.with_columns(
        membership=pl.Series(on_front.sum(axis=0) / np.maximum(times, 1))
    ).sort("membership", "trial_id", descending=[True, False])


def front_membership_sentence(table: pl.DataFrame, price: Price) -> str:
    """Say how many settings are on the front in most redraws, and how many in some."""
    sure = table.filter(pl.col("membership") >= SURE).height
    maybe = table.filter(pl.col("membership").is_between(0.2, SURE, closed="left")).height
    if not table.height:
        return f"No trial at full budget has a value for {price.noun}."
    first = table.row(0, named=True)
    surest = wording.percent(first["membership"])
    return (
        f"On the front of loss and {price.noun}, {wording.plural(sure, 'setting')} would stay in "
        f"at least {wording.percent(SURE)} of redraws, and {maybe:,} more in at least 20 %. The "
        f"surest is {first['architecture']} {short_id(first['trial_id'])} ({surest})."
    )


def front_membership_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw the settings that are on the front most often."""
    shown = table.head(MAX_SHOWN)
    y = alt.Y("trial_id:N", title=None, sort=shown["trial_id"].to_list(),
              axis=alt.Axis(labelExpr=f"slice(datum.value, 0, {ID_DIGITS})"))  # fmt: skip
    x = alt.X("membership:Q", title="Share of redraws on the front", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 1]))  # fmt: skip
    base = alt.Chart(shown).encode(y=y, x=x)
    stems = base.mark_rule(strokeWidth=2, opacity=0.5).encode(
        x=alt.X("zero:Q"), x2=alt.X2("membership:Q"), color=color(architectures)
    ).transform_calculate(zero="0")  # fmt: skip
    heads = base.mark_point(opacity=1).encode(
        size=alt.SizeValue(**when(90, (PICKED, 320))),
        color=color(architectures),
        shape=shape(architectures),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("trial_id:N"),
            alt.Tooltip("loss:Q", format=".4f"),
            alt.Tooltip("membership:Q", format=".0%"),
        ],
    )
    return wide(stems, pickable(heads), height=rows(shown.height, 24))


def figure(results: Results) -> Figure:
    """Return how sure the fronts are, one panel per price; a sentence alone without seed noise."""
    column = results.metric.column
    noise = noise_of(results, column)
    title = "Who stays on the front"
    if not (noise.degrees and noise.deviation > 0):
        sentence = (
            "Without settings that ran on two fresh seeds or more, with losses that differ, nobody "
            "knows how far seeds move a loss, so nothing can be said of who would stay on a front: "
            "`confirm` in the spec."
        )
        return Figure(
            key="front-membership", title=title, panels=(Panel(sentence=sentence),), half=True
        )
    points = front_points(results)
    panels = []
    for price in prices_beside(column):
        table = front_membership_table(points, price, column, noise.deviation)
        panels.append(
            Panel(
                label=price.tab,
                sentence=front_membership_sentence(table, price),
                chart=None
                if table.is_empty()
                else front_membership_chart(table, results.architectures),
                table=table.drop("seeds").head(60),
            )
        )
    return Figure(
        key="front-membership",
        title=title,
        panels=tuple(panels),
        note=(
            f"{NUM_RESAMPLES} redraws of the settings at full budget, moving losses by the seed "
            f"noise ({wording.significant(noise.deviation, 2)})."
        ),
        half=True,
    )
