"""Would another search have found the same winner?

Fresh seeds say how sure the loss of a setting is, and nothing of how lucky the search was that
found it: of equal architectures one always has the best setting found, and more seeds only make
that surer. Whether a group (an architecture, a sweep) is ahead by more than such luck is a question
of how its searched trials are labelled.
"""

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

LIKELY: Final = 0.05
"""Share of random labellings up to which a lead is held to be more than luck."""


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

    @property
    def is_more_than_luck(self) -> bool:
        """Whether another search would hardly have given such a lead to another group."""
        return self.share <= LIKELY


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
    if not ahead:  # a tie
        return Lead(trials=0, searched=known.height, share=1.0)
    ways = sum(math.comb(size, ahead) for size in sizes)
    share = ways / math.comb(known.height, ahead)
    return Lead(trials=ahead, searched=known.height, share=share)
