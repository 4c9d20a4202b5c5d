"""How fast does a search pay off? The best loss found so far against what the search has spent.

The order in which trials ran is one of many it could have had, so the band shows what other orders
and other draws of trials would have given: trials are resampled whole, each with its whole cost.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.equal_cost.bands import bands_chart
from picosweep.analysis.equal_cost.learning_curves import COSTS
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.search_luck import ANOTHER_SEARCH, is_ahead, search_lead

NUM_RESAMPLES: Final = 1000
NUM_POINTS: Final = 40
MAX_TRIALS: Final = 500
BAND: Final = (0.1, 0.5, 0.9)


def best_so_far_table(
    trials: pl.DataFrame, cost: str, column: str = "best_val_loss", seed: int = 0
) -> pl.DataFrame:
    """Return median and 10 to 90 % band of the best loss after each amount spent.

    Args:
        trials: one row per trial; the cost of trials without a finite loss counts too.
        cost: column of what is spent: `tokens`, `flops` or `seconds`.
        column: column of the loss that a trial found.
        seed: seed of the resampling. A resample draws as many trials of an architecture as there
            are, at most 500.

    Returns:
        architecture, the cost, median, low, high. Points where fewer than 90 % of the resamples
        have found any loss are left out.
    """
    generator = np.random.default_rng(seed)
    searches = {}
    for (architecture,), frame in trials.group_by("architecture", maintain_order=True):
        spent = frame.filter(pl.col(cost) > 0)
        if spent[column].drop_nulls().is_empty():
            continue
        prices = spent[cost].cast(pl.Float64).to_numpy()
        losses = spent[column].fill_null(np.inf).to_numpy()
        size = min(len(prices), MAX_TRIALS)
        draws = generator.integers(len(prices), size=(NUM_RESAMPLES, size))
        best = np.minimum.accumulate(losses[draws], axis=1)
        searches[architecture] = prices, np.cumsum(prices[draws], axis=1), best
    # All curves have a point at the end of the shortest, where they are compared.
    common = min((np.median(spend[:, -1]) for _, spend, _ in searches.values()), default=0.0)
    parts = []
    for architecture, (prices, spend, best) in searches.items():
        grid = np.geomspace(np.median(prices), np.median(spend[:, -1]), NUM_POINTS)
        grid = np.unique([*grid[:-1], common, np.median(spend[:, -1])])
        places = np.stack([np.searchsorted(row, grid, "right") for row in spend]) - 1
        found = np.where(places < 0, np.inf, np.take_along_axis(best, places.clip(0), axis=1))
        low, median, high = np.quantile(found, BAND, axis=0, method="nearest")
        parts.append(
            pl.DataFrame({cost: grid, "median": median, "low": low, "high": high})
            .filter(pl.col("high").is_finite())
            .select(pl.lit(architecture).alias("architecture"), pl.all())
        )
    schema = dict.fromkeys([cost, "median", "low", "high"], pl.Float64)
    return pl.concat(parts) if parts else pl.DataFrame(schema={"architecture": pl.String, **schema})


def best_so_far_sentence(
    table: pl.DataFrame, cost: str, metric: Metric, *, shown: bool = False
) -> str:
    """Say what each has found once all have spent as much as the one that spent least.

    Args:
        table: rows from `best_so_far_table`.
        cost: what is spent.
        metric: the loss.
        shown: whether the first architecture is ahead by more than the luck of the search.
    """
    if table.is_empty():
        return "No trial found a finite loss."
    spend = (
        wording.number(table.group_by("architecture").agg(pl.col(cost).max())[cost].min()) or 0.0
    )
    at = (
        table.filter(pl.col(cost) <= spend)
        .group_by("architecture")
        .agg(pl.col("median", "low", "high").sort_by(cost).last())
        .sort("median")
    )
    amount = {
        "seconds": wording.duration(spend), "flops": wording.flops(spend),
        "tokens": f"{wording.count(spend)} tokens",
    }[cost]  # fmt: skip
    parts = [
        f"{row['architecture']} {wording.loss(row['median'])} "
        f"({wording.loss(row['low'])} to {wording.loss(row['high'])})"
        for row in at.iter_rows(named=True)
    ]
    return (
        f"Median best {metric.noun} once a search has spent {amount}: {wording.listing(parts)}."
        f"{'' if shown or len(parts) == 1 else ANOTHER_SEARCH}"
    )


def best_so_far_chart(
    table: pl.DataFrame, cost: str, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw a small chart per architecture: its median and band, the others in grey."""
    x = alt.X(
        f"{cost}:Q",
        title=f"{COSTS[cost][1]} spent",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~s", grid=False, tickCount=4, labelOverlap=True),
    )
    return bands_chart(
        table,
        cost,
        x,
        architectures,
        title=f"Best {metric.noun} so far",
        steps=True,
    )


def figure(results: Results) -> Figure:
    """Return the best loss so far against tokens, FLOPs and seconds."""
    column = "best_val_loss" if results.metric.column == "val_loss" else results.metric.column
    searched = results.trials.filter(pl.col("cohort") != "confirm").unique(
        "trial_id", maintain_order=True
    )
    shown = is_ahead(search_lead(results.trials, results.metric.column))
    panels = []
    for cost, label in ((cost, label) for cost, (label, _) in COSTS.items() if cost != column):
        table = best_so_far_table(searched, cost, column)
        sentence = best_so_far_sentence(table, cost, results.metric, shown=shown)
        chart = (
            None
            if table.is_empty()
            else best_so_far_chart(table, cost, results.architectures, results.metric)
        )
        panels.append(Panel(label=label, sentence=sentence, chart=chart, table=table))
    return Figure(
        key="best-so-far",
        title="What a search finds for its spend",
        panels=tuple(panels),
        note=(
            f"Medians and 10 to 90 % bands over {NUM_RESAMPLES:,} resamples of whole trials, "
            "stopped and diverged ones with their cost included; repeats on fresh seeds are left "
            "out. Grey: the other architectures' medians. Spent is what the whole search took."
        ),
    )
