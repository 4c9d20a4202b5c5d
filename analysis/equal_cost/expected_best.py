"""How good is the best of n trials? The expected best, with bands, from trials run to the end.

The expectation over all sets of n among the N trials seen is exact (a U-statistic); the band is a
95 % percentile bootstrap. Both know nothing better than the best trial seen: curves end at half the
number of trials and bands at a third, where they were measured to hold the truth in 87 to 94 of 100
made-up sweeps of 8 to 40 trials.

Source: J. Dodge et al., Show Your Work, 2019, for the curve; N. Lourie et al., Show Your Work with
Confidence, 2024, for why the band may not be trusted up to n = N.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl
from scipy.special import gammaln

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, shape, wide
from picosweep.analysis.results import Metric, Results

MIN_EXEMPT: Final = 6
NUM_RESAMPLES: Final = 400
MAX_N: Final = 100


def expected_best(losses: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the mean of the least of n losses over all subsets of size n.

    Args:
        losses: one loss per trial, shape [..., N].
        n: subset sizes from 1 to N, shape [K].

    Returns:
        expected best at each size, shape [..., K].
    """
    total = losses.shape[-1]
    rank = np.arange(total)
    # The i-th least (from 0) is the least of C(N-1-i, n-1) of the C(N, n) subsets.
    left, size = total - 1 - rank[:, None], n[None, :]
    possible = left >= size - 1
    logs = _log_choose(np.where(possible, left, size - 1), size - 1) - _log_choose(
        np.asarray(total), size
    )
    weights = np.where(possible, np.exp(logs), 0.0)
    result: np.ndarray = np.sort(losses, axis=-1) @ weights
    return result


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    logs: np.ndarray = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return logs


def expected_best_table(trials: pl.DataFrame, column: str, seed: int = 0) -> pl.DataFrame:
    """Return the expected best of n trials of each architecture.

    Args:
        trials: trials at full budget, one row each.
        column: loss column of which the best is expected.
        seed: seed of the bootstrap over trials.

    Returns:
        architecture, n, expected, low, high (null beyond a third of the trials), trials (how many
        the row is computed from).
    """
    generator = np.random.default_rng(seed)
    parts = []
    for (architecture,), frame in trials.sort("trial_id").group_by(
        "architecture", maintain_order=True
    ):
        losses = frame[column].drop_nulls().to_numpy()
        if not len(losses):
            continue
        n = np.arange(1, max(1, min(len(losses) // 2, MAX_N)) + 1)
        draws = generator.choice(losses, size=(NUM_RESAMPLES, len(losses)))
        low, high = np.quantile(expected_best(draws, n), (0.025, 0.975), axis=0)
        beyond = n > max(1, len(losses) // 3)
        low[beyond], high[beyond] = np.nan, np.nan
        parts.append(
            pl.DataFrame({"n": n, "expected": expected_best(losses, n), "low": low, "high": high})
            .fill_nan(None)
            .select(
                pl.lit(architecture).alias("architecture"), pl.all(), trials=pl.lit(len(losses))
            )
        )
    schema = {
        "architecture": pl.String, "n": pl.Int64, "expected": pl.Float64, "low": pl.Float64,
        "high": pl.Float64, "trials": pl.Int32,
    }  # fmt: skip
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def population(results: Results) -> tuple[pl.DataFrame, str]:
    """Return the least biased trials there are, and a description of them for a note.

    Exempt trials are a random draw; survivors of early stopping are better than a draw. So exempt
    trials alone are taken where every architecture has enough of them.
    """
    whole = results.full_budget.filter(pl.col("cohort") != "confirm")
    exempt = whole.filter(cohort="exempt")
    counts = exempt.group_by("architecture").len()
    enough = (
        counts.height == len(results.architectures)
        and (wording.number(counts["len"].min()) or 0) >= MIN_EXEMPT
    )
    if enough:
        return exempt, "exempt trials only, which early stopping may not touch"
    return whole, (
        "all trials that ran to the end; those that early stopping let through are better than a "
        "fresh draw, so this flatters"
    )


def expected_best_sentence(table: pl.DataFrame, metric: Metric) -> str:
    """Say the expected best at the largest n at which all architectures have a band."""
    if table.is_empty():
        return "No trial ran to the end with a finite loss."
    banded = table.filter(pl.col("low").is_not_null())
    n = wording.number(banded.group_by("architecture").agg(pl.col("n").max())["n"].min())
    at = table.filter(pl.col("n") == n).sort("expected")
    parts = [
        f"{row['architecture']} {wording.loss(row['expected'])} "
        f"({wording.loss(row['low'])} to {wording.loss(row['high'])})"
        for row in at.iter_rows(named=True)
    ]
    trials = "a single trial" if n == 1 else f"the best of {n:.0f} trials"
    return f"The expected {metric.noun} of {trials}: {wording.listing(parts)}."


def expected_best_chart(table: pl.DataFrame, architectures: Sequence[str], metric: Metric) -> Chart:
    """Draw the expected best as lines, with 95 % bands behind."""
    scale = alt.Scale(zero=False)
    last = int(wording.number(table["n"].max()) or 1)
    ticks = list(range(1, last + 1, max(1, last // 8)))
    axis = alt.Axis(values=ticks, format="d", grid=False)
    base = alt.Chart(table).encode(x=alt.X("n:Q", title="Trials tried (n)", axis=axis))
    band = base.mark_area(opacity=0.15).encode(
        y=alt.Y("low:Q", title=f"Expected best {metric.noun}", scale=scale),
        y2=alt.Y2("high:Q"),
        color=color(architectures),
    )
    line = base.mark_line().encode(
        y=alt.Y("expected:Q", scale=scale), color=color(architectures),
    )  # fmt: skip
    points = base.mark_point(size=40).encode(
        y=alt.Y("expected:Q", scale=scale),
        color=color(architectures),
        shape=shape(architectures),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("n:Q"),
            alt.Tooltip("expected:Q", format=".4f"),
            alt.Tooltip("trials:Q"),
        ],
    )
    return wide(band, line, points, height=280)


def figure(results: Results) -> Figure:
    """Return one chart for all architectures."""
    trials, whose = population(results)
    table = expected_best_table(trials, results.metric.column)
    return Figure(
        key="expected-best",
        title="Expected best of n trials",
        panels=(
            Panel(
                sentence=expected_best_sentence(table, results.metric),
                chart=None
                if table.is_empty()
                else expected_best_chart(table, results.architectures, results.metric),
                table=table,
            ),
        ),
        note=(
            f"From {whose}. Bands are 95 % bootstrap intervals, a little too narrow with few "
            "trials. They end at a third of the trials and curves at half: beyond, resampling "
            "knows nothing."
        ),
    )
