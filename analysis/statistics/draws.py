"""Which trials are random draws of a search space, so that they say what other draws would give?

Statements about trials that were not run hold for random draws alone: not for what early stopping
let through, which is better than a draw, and not for what an adaptive sampler proposed after it had
seen losses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from picosweep.analysis.results import FULL_STATUSES, Results

RANDOM: Final = frozenset({"random", "qmc"})
STARTED: Final = frozenset({"tpe", "gp", "cmaes"})
"""Samplers that draw their first trials at random, `search.startup_trials` of each architecture."""
EVERY: Final = 1 << 60
"""A place after every trial's."""


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Trials drawn at random from each architecture's space."""

    trials: pl.DataFrame
    """Their columns, without those that are still running; stopped and failed ones included."""
    whose: str
    """Words for a note about which trials these are."""


def random_draws(results: Results) -> Draws:
    """Return the trials that are random draws: all of random search, else the sampler's start.

    A sweep without a spec is taken for a random search. Trials that the spec enqueued are left out.
    """
    order = pl.int_range(pl.len()).over("sweep", "architecture")
    searched = (
        results.trials.filter((pl.col("cohort") != "confirm") & (pl.col("status") != "running"))
        .sort("start_time", nulls_last=True, maintain_order=True)
        .with_columns(admitted=order)
    )
    drawn = [
        (pl.col("sweep") == sweep) & (pl.col("architecture") == name)
        & (pl.col("admitted") >= first) & (pl.col("admitted") < last)
        for sweep in results.sweeps
        for name in results.architectures
        for first, last in [_drawn(results.specs.get(sweep, {}), name)]
    ]  # fmt: skip
    trials = searched.filter(pl.any_horizontal(drawn)) if drawn else searched
    trials = trials.unique("trial_id", maintain_order=True)
    adaptive = any(_drawn(results.specs.get(sweep, {}), "")[1] < EVERY for sweep in results.sweeps)
    whose = (
        "the trials with which the sampler began, which it drew at random; later ones are no draws"
        if adaptive
        else "all searched trials, taken for random draws"
    )
    return Draws(trials=trials.drop("admitted"), whose=whose)


def _drawn(spec: Mapping[str, object], architecture: str) -> tuple[int, int]:
    """Return the places, in order of admission, between which trials are random draws."""
    search = spec.get("search")
    if not isinstance(search, Mapping):
        return 0, EVERY
    enqueued = search.get("enqueue")
    points = enqueued.get(architecture) if isinstance(enqueued, Mapping) else None
    first = len(points) if isinstance(points, list) else 0
    sampler = search.get("sampler", "random")
    if sampler in RANDOM:
        return first, EVERY
    startup = search.get("startup_trials")
    return first, startup if sampler in STARTED and isinstance(startup, int) else 0


def last_common_rung(draws: pl.DataFrame) -> int | None:
    """Return the highest rung that every draw reached that did not diverge or fail."""
    whole = draws.filter(pl.col("status").is_in([*FULL_STATUSES, "stopped"]))
    least = whole["rung"].drop_nulls().min()
    return least if isinstance(least, int) else None
