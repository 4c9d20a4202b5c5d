"""How good is the best of n trials? The median best of n random draws, with its interval.

The best of n draws lies below the q-quantile of one draw with probability 1 - (1 - q)^n. So its
median is the quantile at q = 1 - 2^(-1/n), which has an interval that assumes nothing of the law of
losses. From N trials it is bounded on both sides up to n = N / 5.3; beyond, nothing is said.

Sources: J. Dodge et al., Show Your Work, 2019, for the question; N. Lourie et al., Show Your Work
with Confidence, 2024, for the median and its distribution-free bounds.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.equal_cost.bands import bands_chart
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.results import FULL_STATUSES, Metric, Results
from picosweep.analysis.statistics.draws import random_draws
from picosweep.analysis.statistics.order import quantile_interval

MIN_TRIALS: Final = 6
MAX_N: Final = 100


def expected_best_table(draws: pl.DataFrame, column: str, last_rung: int | None) -> pl.DataFrame:
    """Return the median best of n trials of each architecture, where it can be bounded.

    A trial that did not finish, because it was stopped, diverged or failed, counts as worse than
    all that did.

    Args:
        draws: trials drawn at random, one row each.
        column: loss column.
        last_rung: the rung at full budget.

    Returns:
        architecture, n, median, low, high (95 %; null where too many did not finish to bound it
        above), trials (how many were drawn), finished.
    """
    ended = pl.col("status").is_in(FULL_STATUSES) & pl.col("rung").eq_missing(last_rung)
    known = draws.with_columns(loss=pl.when(ended).then(pl.col(column)).fill_null(np.inf))
    found = []
    for (architecture,), frame in known.sort("trial_id").group_by(
        "architecture", maintain_order=True
    ):
        losses = np.sort(frame["loss"].to_numpy())
        for n in range(1, MAX_N + 1):
            bounds = quantile_interval(losses, 1 - 0.5 ** (1 / n))
            if len(losses) < MIN_TRIALS or bounds is None:
                continue
            median, low, high = bounds
            found.append(
                {
                    "architecture": architecture, "n": n, "median": median, "low": low,
                    "high": high if np.isfinite(high) else None, "trials": len(losses),
                    "finished": int(np.isfinite(losses).sum()),
                }
            )  # fmt: skip
    schema = {
        "architecture": pl.String, "n": pl.Int64, "median": pl.Float64, "low": pl.Float64,
        "high": pl.Float64, "trials": pl.Int64, "finished": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def expected_best_sentence(
    table: pl.DataFrame, architectures: Sequence[str], metric: Metric
) -> str:
    """Say the median best at the largest n that as many architectures as possible have."""
    if table.is_empty():
        return (
            "Too few random draws ran to the end to bound what the best of some trials would be: "
            f"for one trial it takes {MIN_TRIALS}, for n about 5.3 · n, of each architecture."
        )
    told = table.group_by("n").agg(pl.col("architecture").n_unique()).sort("architecture", "n")
    n = told["n"][-1]
    at = table.filter(pl.col("n") == n).sort("median")
    parts = [
        f"{row['architecture']} {wording.loss(row['median'])} ({wording.loss(row['low'])} to "
        f"{'more' if row['high'] is None else wording.loss(row['high'])})"
        for row in at.iter_rows(named=True)
    ]
    trials = "a single trial" if n == 1 else f"the best of {n:.0f} trials"
    text = f"The median {metric.noun} of {trials}, at 95 %: {wording.listing(parts)}."
    lacking = [name for name in architectures if name not in set(at["architecture"])]
    if lacking:
        text += f" Of {wording.listing(lacking)} too few random draws ran to the end."
    return text


def expected_best_chart(table: pl.DataFrame, architectures: Sequence[str], metric: Metric) -> Chart:
    """Draw a small chart per architecture: its median best with bars, the others' in grey."""
    last = int(wording.number(table["n"].max()) or 1)
    ticks = list(range(1, last + 1, max(1, last // 8)))
    axis = alt.Axis(values=ticks, format="d", grid=False)
    return bands_chart(
        table,
        "n",
        alt.X("n:Q", title="Trials tried (n)", axis=axis, scale=alt.Scale(zero=False, padding=8)),
        architectures,
        title=f"Median best {metric.noun}",
        steps=False,
    )


def figure(results: Results) -> Figure:
    """Return one chart for all architectures."""
    draws = random_draws(results)
    table = expected_best_table(draws.trials, results.metric.column, results.last_rung)
    return Figure(
        key="expected-best",
        title="What the best of n trials would be",
        panels=(
            Panel(
                sentence=expected_best_sentence(table, results.architectures, results.metric),
                chart=None
                if table.is_empty()
                else expected_best_chart(table, results.architectures, results.metric),
                table=table,
            ),
        ),
        note=(
            f"From {draws.whose}. Bars are 95 % intervals of the median, from order statistics. A "
            "trial that early stopping ended counts as worse than all that finished, so where it "
            "stopped good ones this is pessimistic. Curves end where the trials cannot bound them. "
            "Grey: the other architectures' medians."
        ),
    )
