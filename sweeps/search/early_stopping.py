"""When a trial is ended early: trials compete only with others of their architecture.

The rules are Ray Tune's, decision for decision (a test compares them with Ray's own schedulers),
written plainly so that a sweep can say which value a trial had to reach, and rebuild the rungs from
stored rows when it resumes.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, section 3
(ASHA); Golovin et al., "Google Vizier", KDD 2017, section 3.2.2 (median stopping).
"""

import bisect
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from picosweep.sweeps.spec.schema import Objective, Spec


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Decision of early stopping at one rung."""

    stop: bool
    cutoff: float | None
    """The objective's value that the trial had to reach; None where too few came before it."""


class Stopper(Protocol):
    """Early stopping for the trials of one architecture."""

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Record a trial's value at a rung before the last, and decide."""
        ...

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value about which an earlier driver decided."""
        ...


class NeverStop:
    """Every trial runs to the last rung."""

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Let the trial go on."""
        return Verdict(stop=False, cutoff=None)

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Leave the value unrecorded: no decision depends on it."""


class Asha:
    """Asynchronous successive halving: at each rung, one in `factor` arrivals goes on.

    A trial is compared with those that came to the rung before it, and the first one passes.

    Args:
        factor: ratio of one rung to the one before; one in `factor` trials goes on.
        objective: goal of the first objective, whose values are compared.
    """

    def __init__(self, *, factor: int, objective: Objective) -> None:
        self._share = 1 - 1 / factor
        self._sign = _sign(objective)
        self._rungs: dict[int, list[float]] = {}
        """Each rung's values, larger is better, in ascending order: a decision costs no sort."""

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Record a trial's value at a rung before the last, and decide."""
        before = self._rungs.get(rung)
        cutoff = quantile(before, self._share) if before else None
        self.recall(trial_id, rung, value)
        return _verdict(value, cutoff, self._sign)

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value about which an earlier driver decided; it is not decided again."""
        bisect.insort(self._rungs.setdefault(rung, []), self._sign * value)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the linearly interpolated quantile of values in ascending order, as NumPy takes it."""
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    between, low, high = place - below, ordered[below], ordered[above]
    if between < 0.5:
        return low + (high - low) * between
    return high - (high - low) * (1 - between)


class Median:
    """Stops a trial whose best value so far is worse than the median of the others' means.

    The means are taken over each trial's rungs so far. Each decision looks at all trials, so its
    cost grows with their number; ASHA's does not.

    Args:
        objective: goal of the first objective, whose values are compared.
    """

    MIN_SAMPLES: Final = 3
    """Number of other trials that must have reached the rung."""

    def __init__(self, *, objective: Objective) -> None:
        self._sign = _sign(objective)
        self._values: dict[str, list[float]] = {}
        """Each trial's values at the rungs from 0, larger is better."""

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Record a trial's value at a rung before the last, and decide."""
        self.recall(trial_id, rung, value)
        means = [
            statistics.fmean(values[: rung + 1])
            for other, values in self._values.items()
            if other != trial_id and len(values) > rung
        ]
        cutoff = statistics.median(means) if len(means) >= self.MIN_SAMPLES else None
        return _verdict(self._sign * max(self._values[trial_id]), cutoff, self._sign)

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value about which an earlier driver decided.

        It also counts at lower rungs that the trial crossed in the same step: with a budget in
        seconds a slow step may cross several, and the means are taken over all rungs so far.
        """
        values = self._values.setdefault(trial_id, [])
        values += [self._sign * value] * (rung + 1 - len(values))


def _sign(objective: Objective) -> float:
    return 1.0 if objective.goal == "maximize" else -1.0


def _verdict(value: float, cutoff: float | None, sign: float) -> Verdict:
    """Compare a value with a cutoff of which larger is better."""
    if cutoff is None:
        return Verdict(stop=False, cutoff=None)
    return Verdict(stop=sign * value < cutoff, cutoff=sign * cutoff)


def make_stopper(spec: Spec) -> Stopper:
    """Return early stopping for one architecture, as the spec asks for it."""
    if spec.early_stopping.scheduler == "none" or spec.budget.rungs == 1:
        return NeverStop()
    objective = spec.objectives[0]
    if spec.early_stopping.scheduler == "median":
        return Median(objective=objective)
    return Asha(factor=spec.budget.factor, objective=objective)
