"""When a trial is ended early: Ray's schedulers, one per architecture: families never compete.

The schedulers are driven through their own public methods with a stub in place of Ray's trial,
which has two uses: rungs are rebuilt from stored rows when a sweep resumes (Ray's own restore
forgets them), and rows found in the store count like fresh ones.
Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, section 3
(ASHA); Golovin et al., "Google Vizier", KDD 2017, section 3.2.2 (median stopping).
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import numpy as np

from picosweep.sweeps.spec.schema import Objective, Spec


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What early stopping says at one rung."""

    stop: bool
    cutoff: float | None
    """The objective's value that the trial had to reach; None for the rung's first arrival."""


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
        """Go on."""
        return Verdict(stop=False, cutoff=None)

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Nothing."""


@dataclass(frozen=True)
class _StubTrial:
    trial_id: str


class _Rung(dict[str, float]):
    """A rung's values by trial, larger is better, and in ascending order beside that."""

    def __init__(self) -> None:
        super().__init__()
        self.ordered: list[float] = []

    def __setitem__(self, trial_id: str, value: float) -> None:
        super().__setitem__(trial_id, value)
        bisect.insort(self.ordered, value)


class Asha:
    """Asynchronous successive halving over fixed rungs.

    Args:
        milestones: the rungs, a geometric series in any unit.
        factor: the series' ratio; one in `factor` arrivals goes on.
        objective: metric and goal.
    """

    def __init__(self, *, milestones: Sequence[int], factor: int, objective: Objective) -> None:
        # Imported late: it takes a second, in which the data is being prepared.
        from ray.tune.schedulers import ASHAScheduler, TrialScheduler  # noqa: PLC0415

        self._stop = TrialScheduler.STOP
        self._milestones = milestones
        self._share = 1 - 1 / factor
        self._sign = 1.0 if objective.goal == "maximize" else -1.0
        self._scheduler = ASHAScheduler(
            time_attr="budget",
            metric="value",
            mode="max" if objective.goal == "maximize" else "min",
            max_t=milestones[-1],
            grace_period=milestones[0],
            reduction_factor=factor,
            brackets=1,
        )
        self._bracket = cast("Any", self._scheduler._brackets[0])
        self._rungs: dict[float, _Rung] = {n: _Rung() for n, _ in self._bracket._rungs}
        self._bracket._rungs = list(self._rungs.items())
        # Ray's own sorts all values of the rung in each decision: at 10,000 trials a third of what
        # the driver does.
        self._bracket.cutoff = self._cutoff

    def _cutoff(self, rung: _Rung) -> float | None:
        return quantile(rung.ordered, self._share) if rung else None

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Record a trial's value at a rung before the last, and decide."""
        self._scheduler._trial_info[trial_id] = self._bracket
        # What the scheduler is about to compare with; it does not tell, and a reader wants to know.
        cutoff = self._cutoff(self._rungs[self._milestones[rung]])
        result = {"budget": self._milestones[rung], "value": value}
        trial = cast("Any", _StubTrial(trial_id))
        action = self._scheduler.on_trial_result(cast("Any", None), trial, result)
        return Verdict(
            stop=action == self._stop,
            cutoff=None if cutoff is None else self._sign * cutoff,
        )

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value about which an earlier driver decided; it is not decided again."""
        self._rungs[self._milestones[rung]][trial_id] = self._sign * value


def quantile(ordered: Sequence[float], share: float) -> float:
    """The linearly interpolated quantile of values in ascending order, as NumPy takes it."""
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    between, low, high = place - below, ordered[below], ordered[above]
    if between < 0.5:
        return low + (high - low) * between
    return high - (high - low) * (1 - between)


class _NoController:
    """What the median rule asks Tune for, where it has too few values: no trial wants a turn."""

    def get_live_trials(self) -> list[Any]:
        """None."""
        return []


class Median:
    """Stops a trial whose best value so far is worse than the median of the others' means.

    The means are taken over each trial's rungs so far. Each decision looks at all trials, so its
    cost grows with their number; ASHA's does not.

    Args:
        milestones: the rungs, a geometric series in any unit.
        objective: metric and goal.
    """

    MIN_SAMPLES: Final = 3

    def __init__(self, *, milestones: Sequence[int], objective: Objective) -> None:
        # Imported late: see `Asha`.
        from ray.tune.schedulers import MedianStoppingRule, TrialScheduler  # noqa: PLC0415

        self._stop = TrialScheduler.STOP
        self._milestones = milestones
        self._scheduler = MedianStoppingRule(
            time_attr="budget",
            metric="value",
            mode="max" if objective.goal == "maximize" else "min",
            grace_period=milestones[0],
            min_samples_required=self.MIN_SAMPLES,
        )
        self._values: dict[str, list[float]] = {}

    def judge(self, trial_id: str, rung: int, value: float) -> Verdict:
        """Record a trial's value at a rung before the last, and decide."""
        self._fill_up(trial_id, rung, value)
        self._values[trial_id].append(value)
        others = [
            float(np.mean(values[: rung + 1]))
            for other, values in self._values.items()
            if other != trial_id and len(values) > rung
        ]
        # The same median that the rule takes; it does not tell it, and a reader wants to know it.
        cutoff = float(np.median(others)) if len(others) >= self.MIN_SAMPLES else None
        result = {"budget": self._milestones[rung], "value": value}
        trial = cast("Any", _StubTrial(trial_id))
        action = self._scheduler.on_trial_result(cast("Any", _NoController()), trial, result)
        # An exempt trial goes on: the rule must not take it for stopped.
        self._scheduler._stopped_trials.discard(trial)
        return Verdict(stop=action == self._stop, cutoff=cutoff)

    def recall(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value about which an earlier driver decided."""
        self._fill_up(trial_id, rung, value)
        self._record(trial_id, rung, value)

    def _fill_up(self, trial_id: str, rung: int, value: float) -> None:
        """Record a value at the rungs that the trial came to with the same step.

        With a budget in seconds a slow step may cross several, and the rule takes the mean over
        the rungs so far of every trial that came further.
        """
        for missed in range(len(self._values.setdefault(trial_id, [])), rung):
            self._record(trial_id, missed, value)

    def _record(self, trial_id: str, rung: int, value: float) -> None:
        self._values[trial_id].append(value)
        result = {"budget": self._milestones[rung], "value": value}
        self._scheduler._results[cast("Any", _StubTrial(trial_id))].append(result)


def make_stopper(spec: Spec) -> Stopper:
    """Early stopping as the spec asks for, for one architecture."""
    if spec.early_stopping.scheduler == "none" or spec.budget.rungs == 1:
        return NeverStop()
    # Only their ratio counts, and Ray wants whole numbers, which rungs in seconds may not be.
    milestones = [spec.budget.factor**rung for rung in range(spec.budget.rungs)]
    if spec.early_stopping.scheduler == "median":
        return Median(milestones=milestones, objective=spec.objectives[0])
    return Asha(
        milestones=milestones,
        factor=spec.budget.factor,
        objective=spec.objectives[0],
    )
