"""Settings with all their seeds together, and how much a seed alone moves the loss."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl


def settings_table(full_budget: pl.DataFrame, settings: Sequence[str], column: str) -> pl.DataFrame:
    """Return one row per distinct setting that ran at full budget.

    Args:
        full_budget: trials at the last rung with a finite loss.
        settings: hyperparameter columns; with the architecture they name a setting.
        column: loss column that is averaged.

    Returns:
        architecture, the settings, trial_id (the one to reproduce), seeds (fresh seeds that
        finished), mean and sd of the loss over these (without any, the least loss and null),
        num_params and flops (of that trial), seconds and bits_per_byte (means over all trials of
        the setting).
    """
    fresh = pl.col("cohort") == "confirm"
    value = pl.col(column)
    counted = pl.when(fresh.any()).then(value.filter(fresh).mean()).otherwise(value.min())
    return (
        full_budget.sort(fresh, column)
        .group_by("architecture", *settings, maintain_order=True)
        .agg(
            pl.col("trial_id").first(),
            fresh.sum().alias("seeds"),
            counted.alias("mean"),
            value.filter(fresh).std().alias("sd"),
            pl.col("num_params").first(),
            pl.col("flops").first(),
            pl.col("seconds").mean(),
            pl.col("bits_per_byte").mean(),
        )
    )


class SeedNoise(NamedTuple):
    """How far seeds alone move a measure."""

    deviation: float
    """Standard deviation over fresh seeds, pooled over the settings that have several."""
    degrees: int
    """Its degrees of freedom; 0: nothing is known."""


def seed_noise(table: pl.DataFrame) -> SeedNoise:
    """Return the pooled deviation over fresh seeds of rows from `settings_table`."""
    known = table.filter(pl.col("seeds") >= 2)
    degrees = int((known["seeds"] - 1).sum())
    if not degrees:
        return SeedNoise(math.nan, 0)
    squares = ((known["seeds"] - 1) * known["sd"] ** 2).sum()
    return SeedNoise(math.sqrt(squares / degrees), degrees)
