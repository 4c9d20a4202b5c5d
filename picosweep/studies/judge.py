"""Whether claims hold: an interval over fresh seeds on one side of the claim's bound, or not.

A claim is judged on the best setting that a search found for each side, trained again on fresh
seeds; both sides have the same number of trials. All intervals of a study hold together.

Sources: Welch 1947, "The Generalization of 'Student's' Problem", for differences; Bonferroni's
inequality for all of them at once.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from scipy.special import stdtrit

from picosweep.pico.presets import PRESETS
from picosweep.studies.study import Claim, Study, parts_of

LEVEL: Final = 0.05
"""Chance that any interval of a study misses, where seeds alone scatter."""
LEAST_SEEDS: Final = 3

Verdict = Literal["holds", "does not hold", "cannot tell", "the original was wrong"]
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One arm's numbers, one a fresh seed."""

    arm: str
    trial_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean; not a number where there are none."""
        return statistics.fmean(self.values) if self.values else math.nan


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What came out of a claim."""

    claim: str
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    """The interval, where the claim is judged by one."""
    reason: str
    """Why nothing can be told, or what was wrong in the original."""
    arms: tuple[Measured, ...]


@dataclass(frozen=True, kw_only=True)
class SweepRows:
    """What of a sweep's tables claims look at."""

    again: Mapping[str, Sequence[Row]]
    """By architecture: the trials that train its best setting on fresh seeds."""
    rows_of: Callable[[str], Sequence[Row]]
    """Function that returns the rows of another table."""


def judge(study: Study, sweeps: Mapping[str, SweepRows]) -> list[Judgement]:
    """Judge every claim of a study on its sweeps' rows."""
    level = LEVEL / max(1, study.num_intervals)
    return [_judge(claim, sweeps, level) for claim in study.claims]


def _judge(claim: Claim, sweeps: Mapping[str, SweepRows], level: float) -> Judgement:
    if claim.preset is not None:
        count = float(PRESETS[claim.preset].num_params)
        return _decided(claim, (), count, count, count)
    arms = tuple(_measured(place, arm, claim, sweeps) for place, arm in enumerate(claim.arms))
    fewest = min(len(arm.values) for arm in arms)
    if fewest < LEAST_SEEDS:
        return Judgement(
            claim=claim.name,
            verdict="cannot tell",
            estimate=None,
            low=None,
            high=None,
            reason=f"{fewest} of at least {LEAST_SEEDS} fresh seeds have the figure",
            arms=arms,
        )
    samples = samples_of(arms, paired=claim.paired)
    return _decided(claim, arms, *interval(samples, level))


def samples_of(arms: Sequence[Measured], *, paired: bool) -> list[Sequence[float]]:
    """Return what an interval is made of: the arms' values, or their differences seed by seed.

    Two arms of the same trials, at different rungs or in different rows, differ by what the trials
    have in common less than their values scatter; so do two whose trials see the same batches.
    """
    if len(arms) == 2 and (paired or arms[0].trial_ids == arms[1].trial_ids):
        second = dict(zip(arms[1].seeds, arms[1].values, strict=True))
        first = zip(arms[0].seeds, arms[0].values, strict=True)
        return [[value - second[seed] for seed, value in first if seed in second]]
    return [arm.values for arm in arms]


def interval(samples: Sequence[Sequence[float]], level: float) -> tuple[float, float, float]:
    """Return the mean of a sample, or the difference of two samples' means, and its interval.

    Args:
        samples: one sample, or two of which the second is taken from the first.
        level: chance that the interval misses.
    """
    means = [statistics.fmean(sample) for sample in samples]
    estimate = means[0] - (means[1] if len(means) > 1 else 0.0)
    shares = [statistics.variance(sample) / len(sample) for sample in samples]
    variance = sum(shares)
    if variance == 0:
        return estimate, estimate, estimate
    degrees = variance**2 / sum(
        share**2 / (len(sample) - 1) for share, sample in zip(shares, samples, strict=True)
    )
    half = float(stdtrit(degrees, 1 - level / 2)) * math.sqrt(variance)
    return estimate, estimate - half, estimate + half


def _decided(
    claim: Claim, arms: tuple[Measured, ...], estimate: float, low: float, high: float
) -> Judgement:
    if claim.below is not None:
        holds, fails = high < claim.below, low >= claim.below
    else:
        assert claim.above is not None
        holds, fails = low > claim.above, high <= claim.above
    verdict: Verdict = "holds" if holds else "does not hold" if fails else "cannot tell"
    reason = "" if holds or fails else "the interval lies on both sides of the bound"
    if fails and claim.wrong:
        verdict, reason = "the original was wrong", claim.wrong
    return Judgement(
        claim=claim.name,
        verdict=verdict,
        estimate=estimate,
        low=low,
        high=high,
        reason=reason,
        arms=arms,
    )


def _measured(place: int, arm: str, claim: Claim, sweeps: Mapping[str, SweepRows]) -> Measured:
    sweep, architecture, rung = parts_of(arm)
    found = {
        (str(row["trial_id"]), int(row["seed"])): value
        for row in sweeps[sweep].again.get(architecture, ())
        if (value := _value(row, claim, claim.rows_of(place), sweeps[sweep], rung)) is not None
    }
    return Measured(
        arm=arm,
        trial_ids=tuple(trial_id for trial_id, _ in found),
        seeds=tuple(seed for _, seed in found),
        values=tuple(found.values()),
    )


def _value(
    trial: Row, claim: Claim, where: Row, sweep: SweepRows, rung: int | None
) -> float | None:
    """Return a trial's figure; None where it has none."""
    table = "reports" if rung is not None and claim.table == "trials" else claim.table
    if table == "trials":
        values = [trial.get(claim.metric)]
    else:
        own = [row for row in sweep.rows_of(table) if row["trial_id"] == trial["trial_id"]]
        asked = [row for row in own if all(row.get(k) == v for k, v in where.items())]
        if rung is not None:
            asked = [row for row in asked if row["rung"] == rung]
        last = max((row["step"] for row in asked), default=None)
        values = [row.get(claim.metric) for row in asked if row["step"] == last]
    numbers = [float(value) for value in values if value is not None and math.isfinite(value)]
    if not numbers:
        return None
    if claim.reduce == "mean":
        return statistics.fmean(numbers)
    return max(numbers) if claim.reduce == "max" else min(numbers)
