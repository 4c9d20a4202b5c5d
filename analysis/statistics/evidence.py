"""Which settings move the loss by more than chance would?

Of settings that do nothing one is always the most important, the widest, the best at some value.
So a sentence names a setting only if the losses at its values differ by more than they would had
the losses been dealt to the trials at random.
"""

import functools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from scipy.special import fdtri, ndtr
from scipy.stats import chi2, hypergeom, ncf, rankdata

from picosweep.analysis.page import wording

LEVEL: Final = 0.05
"""Share of sweeps in which a sentence may name a setting although none does anything."""

MAX_GROUPS: Final = 5
MIN_GROUPS: Final = 3
TRIALS_PER_GROUP: Final = 4
MAX_VALUES: Final = 8
NUM_PERMUTATIONS: Final = 1999
MANY: Final = 200
"""Trials from which on the statistic's limiting law stands for the permutations."""

POWER: Final = 0.8
"""Share of sweeps in which so many trials or seeds as a sentence names would tell."""
SHARE: Final = 0.2
"""Share of the loss's spread that a setting of some weight explains."""


def setting_evidence(frame: pl.DataFrame, settings: Sequence[str], seed: int = 0) -> pl.DataFrame:
    """Return how likely chance alone makes the losses at a setting's values differ as they do.

    Two statistics, against what they are when the losses are dealt at random: Kruskal and Wallis's
    over the values, or over three to five ranges of equal counts where a number has many, which
    sees a best value inside the range; and for numbers Spearman's correlation, which sees a trend
    with fewer trials. The rarer of the two counts, against the rarer of the two in each deal.
    Holm's correction makes the level hold for all settings together.

    Sources: Kruskal and Wallis 1952, "Use of Ranks in One-Criterion Variance Analysis"; Westfall
    and Young 1993, "Resampling-Based Multiple Testing", section 2.3, for the rarer of the two;
    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".

    Args:
        frame: one row per trial, with `loss` and the settings.
        settings: hyperparameters; a trial that lacks one takes no part in its test.
        seed: seed of the permutations.

    Returns:
        setting, p_value, adjusted (p after Holm), clear (whether it is shown to move the loss):
        one row per setting that varies, least p first.
    """
    found = []
    for name in settings:
        known = frame.select(name, "loss").drop_nulls()
        groups = _groups(known[name])
        if groups.max(initial=0) > 0:
            numbers = known[name].to_numpy() if known[name].dtype.is_numeric() else None
            found.append((name, _chance(groups, numbers, known["loss"].to_numpy(), seed)))
    found.sort(key=lambda pair: pair[1])
    adjusted = holm([p_value for _, p_value in found])
    return pl.DataFrame(
        {
            "setting": [name for name, _ in found],
            "p_value": [p_value for _, p_value in found],
            "adjusted": adjusted,
            "clear": [p_value <= LEVEL for p_value in adjusted],
        },
        schema={"setting": pl.String, "p_value": pl.Float64, "adjusted": pl.Float64,
                "clear": pl.Boolean},
    )  # fmt: skip


def holm(p_values: Sequence[float], looked_at: int = 0) -> list[float]:
    """Return p-values, given in ascending order, corrected for their number after Holm.

    Args:
        p_values: uncorrected, least first.
        looked_at: number of tests among which these are the least ones; at least their number.
    """
    total = max(looked_at, len(p_values))
    adjusted: list[float] = []
    for place, p_value in enumerate(p_values):
        least = adjusted[-1] if adjusted else 0.0
        adjusted.append(min(1.0, max(least, (total - place) * p_value)))
    return adjusted


def _groups(values: pl.Series) -> np.ndarray:
    """Return each trial's group, from 0: its value, or a range where a number has many values."""
    ranges = min(MAX_GROUPS, max(MIN_GROUPS, len(values) // TRIALS_PER_GROUP))
    few = values.n_unique() <= min(MAX_VALUES, max(ranges, len(values) // 2))
    if few or not values.dtype.is_numeric():
        codes: np.ndarray = values.cast(pl.String).rank("dense").to_numpy() - 1
        return codes.astype(int)
    edges = np.quantile(values.to_numpy(), np.linspace(0, 1, ranges + 1)[1:-1])
    placed = np.searchsorted(np.unique(edges), values.to_numpy(), "right")
    return np.unique(placed, return_inverse=True)[1]


def _chance(groups: np.ndarray, numbers: np.ndarray | None, loss: np.ndarray, seed: int) -> float:
    """Return the p-value of losses that differ between groups, or follow numbers."""
    ranks = rankdata(loss)
    ranks = ranks - ranks.mean()
    if not ranks.var() > 0:
        return 1.0
    if len(ranks) >= MANY:
        return _limiting_chance(groups, numbers, ranks)
    generator = np.random.default_rng(seed)
    dealt = generator.permuted(np.tile(ranks, (NUM_PERMUTATIONS, 1)), axis=1)
    dealt = np.concatenate([ranks[None, :], dealt])
    rare = _shares_above(_between_groups(groups, dealt))
    if numbers is not None and groups.max() > 1:  # with two groups the two are one statistic
        rare = np.minimum(rare, _shares_above(np.abs(dealt @ _centred_ranks(numbers))))
    return float((rare <= rare[0]).mean())


def _between_groups(groups: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    """Return the squares between groups of each deal of ranks, `[deals]`."""
    members = np.eye(groups.max() + 1)[groups]  # shape [trials, groups]
    squares: np.ndarray = ((dealt @ members) ** 2 / members.sum(axis=0)).sum(axis=1)
    return squares


def _centred_ranks(numbers: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = rankdata(numbers)
    ranks -= ranks.mean()
    return ranks


def _shares_above(statistics: np.ndarray) -> np.ndarray:
    """Return for each deal the share of deals with as large a statistic or a larger one."""
    rounded = np.round(statistics / max(statistics.max(), 1e-300), 9)  # sums in another order
    shares: np.ndarray = rankdata(-rounded, method="max") / len(rounded)
    return shares


def _limiting_chance(groups: np.ndarray, numbers: np.ndarray | None, ranks: np.ndarray) -> float:
    """Return the p-value by the statistics' limiting laws, after Bonferroni where there are two."""
    freedom = (len(ranks) - 1) / len(ranks) / ranks.var()
    chance = float(chi2.sf(_between_groups(groups, ranks[None, :])[0] * freedom, groups.max()))
    if numbers is None or groups.max() == 1:
        return chance
    own = _centred_ranks(numbers)
    correlation = float(ranks @ own / len(ranks) / (ranks.std() * own.std()))
    trend = float(2 * ndtr(-abs(correlation) * math.sqrt(len(ranks) - 1)))
    return min(1.0, 2 * min(chance, trend))


@functools.cache
def trials_to_show(num_settings: int) -> int:
    """Return the number of trials at which a setting of some weight would be shown in 4 of 5.

    By the power of the analysis of variance at the level of the first of Holm's steps, for three
    values or ranges of the setting.

    Args:
        num_settings: number of settings that are looked at.
    """
    effect = SHARE / (1 - SHARE)
    above = MIN_GROUPS - 1
    for trials in range(MIN_GROUPS + 2, 10_000):
        below = trials - MIN_GROUPS
        limit = fdtri(above, below, 1 - LEVEL / max(1, num_settings))
        if ncf.sf(limit, above, below, effect * trials) >= POWER:
            return trials
    return 10_000


def more_common_than_chance(times: int, drawn: int, overall: int, trials: int) -> float:
    """Return how likely `times` or more of the best have a value that `overall` trials have.

    The upper tail of the hypergeometric law: as if the best were any `drawn` of the trials.
    """
    return float(hypergeom.sf(times - 1, trials, overall, drawn))


def clear_settings(evidence: pl.DataFrame) -> list[str]:
    """Return the settings that rows from `setting_evidence` show to move the loss."""
    return evidence.filter("clear")["setting"].to_list()


def unshown_sentence(evidence: pl.DataFrame, trials: int) -> str:
    """Say that no setting is shown to move the loss, and how many trials would show one.

    Args:
        evidence: rows from `setting_evidence`, none of them clear.
        trials: number of trials that were compared.
    """
    needed = trials_to_show(evidence.height)
    some = f"one that explains {wording.percent(SHARE)} of its spread"
    if needed <= trials:
        return (
            f"No setting is shown to move the loss: {some} would mostly have shown with these "
            f"{trials:,} trials."
        )
    return (
        f"No setting is shown to move the loss: {wording.plural(trials, 'trial')} cannot tell "
        f"{some} from chance, about {needed:,} would."
    )
