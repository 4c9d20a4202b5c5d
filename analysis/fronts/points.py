"""The points of a front: one for each setting, so that no setting is there for its luckiest seed.

Of repeats of one setting the luckiest lies on the front; the low end of a front of trials is
flattered by about one standard deviation of the seeds. So repeats on fresh seeds are one point, at
their mean, and the trial that was picked for being good takes no part in it.
"""

import math
from typing import Final

import polars as pl
from scipy.special import stdtrit

from picosweep.analysis.fronts.prices import PRICES
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.seeds import SeedNoise, seed_noise, settings_table

CONFIDENCE: Final = 0.95


def front_points(results: Results) -> pl.DataFrame:
    """Return one row for each setting that ran at full budget, with its loss and its prices.

    Returns:
        architecture, trial_id (of the best searched trial, else the first), seeds (fresh ones; 0: a
        single searched trial), the loss and each price: means over fresh seeds where there are any,
        else those of the trial.
    """
    column = results.metric.column
    fresh = pl.col("cohort") == "confirm"
    measured = list(dict.fromkeys([column, *(price.column for price in PRICES)]))
    means = [
        pl.when(fresh.any())
        .then(pl.col(name).filter(fresh).mean())
        .otherwise(pl.col(name).first())
        .alias(name)
        for name in measured
    ]
    return (
        results.full_budget.sort(fresh, column)
        .group_by("architecture", *results.setting_names, maintain_order=True)
        .agg(pl.col("trial_id").first(), fresh.sum().cast(pl.Int64).alias("seeds"), *means)
        .select("architecture", "trial_id", "seeds", *measured)
    )


def noise_of(results: Results, column: str) -> SeedNoise:
    """Return the noise of a measure of trials at full budget."""
    known = results.full_budget.drop_nulls([column])
    return seed_noise(settings_table(known, results.setting_names, column))


def differ(
    first: tuple[float, int], second: tuple[float, int], noise: SeedNoise, looked_at: int
) -> bool:
    """Return whether two settings' means differ by more than seeds make them.

    Args:
        first: mean of a measure and number of fresh seeds of one setting.
        second: the same of the other one.
        noise: noise of the measure.
        looked_at: number of settings among which the two were picked (Bonferroni).
    """
    if not noise.degrees:
        return False
    level = 1 - (1 - CONFIDENCE) / 2 / max(1, looked_at)
    error = noise.deviation * math.sqrt(1 / max(1, first[1]) + 1 / max(1, second[1]))
    return abs(first[0] - second[0]) > float(stdtrit(noise.degrees, level)) * error
