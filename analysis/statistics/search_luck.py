"""Would another search have found the same winner?

Fresh seeds say how sure the loss of a setting is, and nothing of how lucky the search was that
found it: of equal architectures one always has the best setting found, and more seeds only make
that surer. Whether a group (an architecture, a sweep) is ahead by more than such luck is a question
of how its searched trials are labelled.
"""

from typing import Final

import numpy as np
import polars as pl

SHUFFLES: Final = 1999
"""Shuffles of the labels: with the trials as they are, 2,000 arrangements."""

LIKELY: Final = 0.05
"""Share of shuffles up to which a lead is held to be more than luck."""


def search_luck(trials: pl.DataFrame, column: str, group: str = "architecture") -> float | None:
    """Return in which share of shuffles some group leads by as much as the best one does now.

    A permutation test of the labels of all searched trials: its statistic is the gap between the
    lowest losses of the best group and of the second best. A trial that did not reach its sweep's
    last rung, because it was stopped, diverged or failed, could not win: its loss is infinite.

    Source: Ernst 2004, "Permutation Methods: A Basis for Exact Inference", section 2.

    Args:
        trials: trials of a sweep or several, those of fresh seeds included, which are left out.
        column: loss column.
        group: column with the labels.

    Returns:
        p-value; None where there are not two groups that finished a trial.
    """
    finished = pl.col("rung").eq_missing(pl.col("rung").max().over("sweep"))
    loss = pl.when(finished).then(pl.col(column)).fill_null(float("inf"))
    searched = (pl.col("cohort") != "confirm") & (pl.col("status") != "running")
    known = trials.with_columns(loss.alias("loss")).filter(searched)
    losses = known["loss"].to_numpy()
    names, labels = np.unique(known[group].to_numpy(), return_inverse=True)
    if len(names) < 2 or len(set(labels[np.isfinite(losses)])) < 2:
        return None
    order = np.random.default_rng(0).permuted(np.tile(labels, (SHUFFLES, 1)), axis=1)
    found = _lead(losses, labels[None, :], len(names))[0]
    shuffled = _lead(losses, order, len(names))
    return float((1 + (shuffled >= found - 1e-12).sum()) / (1 + SHUFFLES))


def _lead(losses: np.ndarray, labels: np.ndarray, num_groups: int) -> np.ndarray:
    """Return, by row of labels, the gap between the least minimum of a group and the next."""
    least = np.stack(
        [np.where(labels == one, losses, np.inf).min(axis=1) for one in range(num_groups)], axis=1
    )
    least.sort(axis=1)
    lead: np.ndarray = least[:, 1] - least[:, 0]
    return lead
