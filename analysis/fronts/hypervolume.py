"""How much of the loss-and-price plane does each architecture's front win?"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.fronts.points import front_points
from picosweep.analysis.fronts.prices import PRICES, Price, prices_beside
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, rows, shape, wide
from picosweep.analysis.results import Results


def hypervolume(points: np.ndarray, reference: Sequence[float]) -> float:
    """Return the area that points dominate up to a reference, both coordinates to be minimised.

    Args:
        points: price and loss of each point, shape [N, 2].
        reference: price and loss of the worst corner; points beyond it count nothing.
    """
    inside = points[(points[:, 0] < reference[0]) & (points[:, 1] < reference[1])]
    if not len(inside):
        return 0.0
    ordered = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    ceilings = np.minimum.accumulate(np.concatenate([[reference[1]], ordered[:, 1]]))
    return float(((reference[0] - ordered[:, 0]) * (ceilings[:-1] - ceilings[1:])).sum())


def unit_square(trials: pl.DataFrame, price: Price, column: str) -> np.ndarray:
    """Return price and loss scaled to 0 best, 1 worst; a price to minimise as its logarithm."""
    prices = trials[price.column].cast(pl.Float64).to_numpy()
    prices = -prices if price.maximize else np.log(prices)
    both = np.column_stack([prices, trials[column].to_numpy()])
    low, high = both.min(axis=0), both.max(axis=0)
    scaled: np.ndarray = (both - low) / np.where(high > low, high - low, 1.0)
    return scaled


def hypervolume_table(trials: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the share of the plane between best and worst trial that each front dominates.

    Args:
        trials: trials at full budget, one row each.
        column: loss column of the fronts.

    Returns:
        price, architecture (`all` is the joint front), share.
    """
    found = []
    for price in prices_beside(column):
        known = trials.drop_nulls([price.column, column])
        if not price.maximize:
            known = known.filter(pl.col(price.column) > 0)
        if known.is_empty():
            continue
        points = unit_square(known, price, column)
        names = known["architecture"].to_numpy()
        for name in ["all", *sorted(set(names))]:
            own = points if name == "all" else points[names == name]
            # A little past the worst trial, so that the extreme members count as well.
            share = hypervolume(own, (1.05, 1.05)) / 1.05**2
            found.append({"price": price.label, "architecture": name, "share": share})
    schema = {"price": pl.String, "architecture": pl.String, "share": pl.Float64}
    return pl.DataFrame(found, schema=schema)


def hypervolume_sentence(table: pl.DataFrame) -> str:
    """Say how much of the joint front's area each architecture's front alone covers, price one."""
    if table.is_empty():
        return "No trial at full budget, so no front."
    own = table.filter(price=table["price"][0])
    joint = own.filter(architecture="all")["share"][0]
    if not joint:
        return "All points are worst in one measure, so no front wins anything."
    noun = {price.label: price.noun for price in PRICES}[own["price"][0]]
    parts = [
        f"{row['architecture']} {wording.percent(row['share'] / joint)}"
        for row in own.filter(pl.col("architecture") != "all")
        .sort("share", "architecture", descending=[True, False])
        .iter_rows(named=True)
    ]
    return (
        f"Of what this search found: the area of loss and {noun} that all fronts win together is "
        f"covered by single ones like this: {wording.listing(parts)}."
    )


def hypervolume_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw shares as points on one line per price, the joint front as a tick."""
    y = alt.Y("price:N", title=None, sort=table["price"].unique(maintain_order=True).to_list())
    x = alt.X("share:Q", title="Share of the plane dominated", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 1]))  # fmt: skip
    tooltip = [alt.Tooltip("price:N"), alt.Tooltip("architecture:N"),
               alt.Tooltip("share:Q", format=".1%")]  # fmt: skip
    joint = (
        alt.Chart(table.filter(architecture="all"))
        .mark_tick(thickness=3, height=22)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    points = (
        alt.Chart(table.filter(pl.col("architecture") != "all"))
        .mark_point(size=110)
        .encode(x=x, y=y, color=color(architectures), shape=shape(architectures), tooltip=tooltip)
    )
    return wide(joint, points, height=rows(table["price"].n_unique(), 40))


def figure(results: Results) -> Figure:
    """Return all prices in one chart."""
    table = hypervolume_table(front_points(results), results.metric.column)
    return Figure(
        key="hypervolume",
        title="How much each front wins",
        panels=(
            Panel(
                sentence=hypervolume_sentence(table),
                chart=None if table.is_empty() else hypervolume_chart(table, results.architectures),
                table=table,
            ),
        ),
        note=(
            "Hypervolume: the share of the rectangle between the best and the worst setting "
            "(prices as logarithms) that a front dominates. The tick is all architectures' "
            "joint front."
        ),
        half=True,
    )
