"""Would another search have found the same winner?

Fresh seeds say how sure the loss of a setting is, and nothing of how lucky the search was that
found it: of equal architectures one always has the best setting found, and more seeds only make
that surer. Whether a group (an architecture, a sweep) is ahead by more than such luck is a question
of how its searched trials are labelled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from scipy.stats import binom

from picosweep.analysis.statistics.evidence import POWER

LIKELY: Final = 0.05
"""Share of random labellings up to which a lead is held to be more than luck."""
MAX_NEEDED: Final = 1_000_000

ANOTHER_SEARCH: Final = " Another search may order them otherwise."


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How far the best group's searched trials are in front of all others."""

    trials: int
    """Number of its trials that are better than every trial of the others."""
    searched: int
    """Number of all searched trials."""
    share: float
    """Share of random labellings in which some group leads by as many trials or more."""
    own: int
    """Number of all searched trials of the group."""
    groups: int
    """Number of groups."""

    @property
    def is_more_than_luck(self) -> bool:
        """Whether another search would hardly have given such a lead to another group."""
        return self.share <= LIKELY

    def trials_needed(self) -> int | None:
        """Return how many trials of each group would show the lead in 4 of 5 searches.

        As if the share of the group's trials that is in front of all others now were in front in
        every search; None where none is, or where more than a million would be needed.
        """
        ahead = self.trials / self.own
        trials = float(max(self.own, 2))
        while ahead and trials < MAX_NEEDED:
            size = round(trials)
            if binom.sf(_least_lead(size, self.groups) - 1, size, ahead) >= POWER:
                return size
            trials *= 1.05
        return None


def is_ahead(lead: Lead | None) -> bool:
    """Return whether a group leads by more than luck; where none could, no."""
    return lead is not None and lead.is_more_than_luck


def _least_lead(size: int, groups: int) -> int:
    """Return how many of the best trials have to be of one of some groups of one size."""
    ahead = 1
    while _share([size] * groups, ahead) > LIKELY:
        ahead += 1
    return ahead


def _share(sizes: Sequence[int], ahead: int) -> float:
    """Return the share of labellings in which the best trials are all of one group."""
    ways = sum(math.comb(size, ahead) for size in sizes)
    return ways / math.comb(sum(sizes), ahead)


def search_lead(trials: pl.DataFrame, column: str, group: str = "architecture") -> Lead | None:
    """Return the lead of the group that has the best searched trial, and what chance makes of it.

    A permutation test of the labels, of which the distribution is known exactly: were labels dealt
    at random, the m best of N trials would all be of one group g of n trials with probability
    C(n, m) / C(N, m), summed over the groups. A trial that did not reach its sweep's last rung,
    because it was stopped, diverged or failed, could not win and comes last.

    Source: Ernst 2004, "Permutation Methods: A Basis for Exact Inference", section 2.

    Args:
        trials: trials of a sweep or several, those of fresh seeds included, which are left out.
        column: loss column.
        group: column with the labels.

    Returns:
        the lead; None where there are not two groups that finished a trial.
    """
    finished = pl.col("rung").eq_missing(pl.col("rung").max().over("sweep"))
    loss = pl.when(finished).then(pl.col(column))
    searched = (pl.col("cohort") != "confirm") & (pl.col("status") != "running")
    known = trials.with_columns(loss.alias("loss")).filter(searched)
    ended = known.drop_nulls("loss").sort("loss")
    if ended[group].n_unique() < 2:
        return None
    first = ended[group][0]
    best_other = ended.filter(pl.col(group) != first)["loss"][0]
    ahead = ended.filter(pl.col("loss") < best_other).height
    sizes = known.group_by(group).len()["len"].to_list()
    return Lead(
        trials=ahead,
        searched=known.height,
        share=_share(sizes, ahead) if ahead else 1.0,  # none is ahead where two tie
        own=known.filter(pl.col(group) == first).height,
        groups=len(sizes),
    )
