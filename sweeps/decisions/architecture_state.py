"""One architecture's part of a sweep: its trials, its sampler, its early stopping."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from picosweep.sweeps.decisions.trial import Outcome, Trial
from picosweep.sweeps.search.early_stopping import Stopper
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.search.study import ArchitectureStudy, objective_values
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Objective
from picosweep.sweeps.store.tables import Row


@dataclass(kw_only=True)
class ArchitectureState:
    """One architecture's part of the sweep."""

    name: str
    space: Space
    study: ArchitectureStudy
    stopper: Stopper
    objectives: Sequence[Objective]
    milestones: Sequence[float]
    """The rungs, in the budget's unit."""
    searched: list[Trial] = field(default_factory=list)
    """Its trials but for the confirmations."""
    confirmations: list[Trial] = field(default_factory=list)
    exhausted: bool = False
    """Whether its space holds no configuration that was not tried."""
    _num_unended: int = 0
    _num_measured: int = 0
    _measured_seconds: float = 0.0
    longest_seconds: float = 0.0
    """Busy time of the longest of its trials that ran."""

    @property
    def trials(self) -> list[Trial]:
        """All its trials."""
        return self.searched + self.confirmations

    @property
    def is_empty(self) -> bool:
        """Whether it has no trial yet."""
        return not self.searched and not self.confirmations

    @property
    def is_searched(self) -> bool:
        """Whether every searched trial so far has ended."""
        return self._num_unended == 0

    def add(self, trial: Trial) -> None:
        """Add a trial that has not ended, or one whose end `on_end` records next."""
        (self.confirmations if trial.is_confirmation else self.searched).append(trial)
        self._num_unended += not trial.is_confirmation

    def on_end(self, trial: Trial, outcome: Outcome) -> None:
        """Record that one of its trials has ended; its sampler learns from searched ones."""
        if trial.row["seconds"]:
            self._num_measured += 1
            self._measured_seconds += trial.row["seconds"]
            self.longest_seconds = max(self.longest_seconds, trial.row["seconds"])
        if not trial.is_confirmation:
            self._num_unended -= 1
            completed = outcome == "completed"
            values = objective_values(self.objectives, trial.row) if completed else None
            self.study.tell(trial.trial_id, outcome, values)

    def judge(self, trial: Trial, report: Row, micros: int) -> Row:
        """Decide at a rung before the last whether a trial goes on; return a row of `decisions`."""
        value = float(report[self.objectives[0].metric])
        self.study.report(trial.trial_id, report["rung"], value)
        verdict = self.stopper.judge(trial.trial_id, report["rung"], value)
        stop = "exempt" if trial.row["cohort"] == "exempt" else "stop"
        return {
            "trial_id": trial.trial_id,
            "rung": report["rung"],
            "milestone": self.milestones[report["rung"]],
            "value": value,
            "cutoff": verdict.cutoff,
            "action": stop if verdict.stop else "continue",
            "time": micros,
        }

    def recall(self, trial: Trial, report: Row) -> None:
        """Record a report at a rung before the last for which a decision is stored already."""
        value = float(report[self.objectives[0].metric])
        self.study.report(trial.trial_id, report["rung"], value)
        self.stopper.recall(trial.trial_id, report["rung"], value)

    def ranked(self, rung: int) -> list[Trial]:
        """Return its searched trials whose highest rung is `rung`, the best first."""
        ranking = Ranking.of(self.objectives[0])
        reached = [trial for trial in self.searched if trial.row["rung"] == rung]
        return sorted(reached, key=lambda trial: ranking.key(trial.row))

    def mean_seconds(self) -> float | None:
        """Return the mean busy time of its trials that ran, None before one has ended."""
        return self._measured_seconds / self._num_measured if self._num_measured else None
