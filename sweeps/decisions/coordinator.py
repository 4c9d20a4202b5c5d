"""Decisions of a sweep: which trial comes next, what a report means, when the sweep is over.

It knows neither Ray nor processes. Whoever runs trials asks `next` for work, passes every report to
`on_report` and every lost process to `on_lost`, and does what they return. Decisions are stored
before they take effect, so a new coordinator over the same store resumes the sweep.
"""

import collections
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.asking.plan import ask_plan
from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.known_trials import known_trials
from picosweep.sweeps.decisions.limits import Ending, LimitWatch
from picosweep.sweeps.decisions.next_trial import TrialChooser
from picosweep.sweeps.decisions.trial import (
    Assignment,
    Outcome,
    Trial,
    failures,
    first_row,
    is_finite,
    stored_outcome,
)
from picosweep.sweeps.search.candidates import CandidateFactory
from picosweep.sweeps.search.early_stopping import make_stopper
from picosweep.sweeps.search.study import ArchitectureStudy
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.journal import Entry
from picosweep.sweeps.store.reader import OtherSweeps
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import ASKED_FOR, REPORTS, SET_BY_DRIVER, Row

NOTHING: Final[Mapping[str, Iterable[Row]]] = {}
BY_USER: Final = "stopped by the user"


class Coordinator:
    """Decides for one sweep.

    A method that cannot write to the store raises `OSError`; its decision does not count then.

    Args:
        spec: budget, search, early stopping and limits of the sweep.
        spaces: each architecture's search space.
        factory: completes configurations and gives them their identity.
        store: the sweep's rows; it resumes from those that are there.
        elsewhere: folders of other sweeps, by the ids of trials that ended there; None for none.
        retry_failed: whether trials that failed under an earlier driver are tried again.
        elapsed: the clock of limits, in seconds; the machine's own may be set while a sweep runs.
    """

    def __init__(
        self,
        *,
        spec: Spec,
        spaces: Mapping[str, Space],
        factory: CandidateFactory,
        store: Store,
        elsewhere: Mapping[str, Path] | None = None,
        retry_failed: bool = False,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self._spaces = spaces
        self._factory = factory
        self._store = store
        self._others = OtherSweeps(elsewhere or {})
        self._asked = ask_plan(spec)
        self._limits = LimitWatch(spec.limits, elapsed)
        self._trials: dict[str, Trial] = {}
        self._waiting: collections.deque[Trial] = collections.deque()
        self.assigned: dict[str, Trial] = {}
        """Trials that were given out, by id; not all of them have a slot yet."""
        self.started: set[str] = set()
        """Ids of those that are being trained."""
        self._unwanted: set[str] = set()
        self.ending: Ending | None = None
        """Why no more work is given out, before all is done."""
        self.num_ended = 0
        self._num_failed = 0
        self._known_tokens = 0
        self.busy_seconds = 0.0
        """Time in training, evaluation and answers that this driver has seen."""
        self.new_tokens = 0
        self.architectures = {name: self._new_state(name, space) for name, space in spaces.items()}
        self._chooser = TrialChooser(spec, factory, self.architectures)
        self._resume(retry_failed=retry_failed)
        for state in self.architectures.values():
            state.exhausted = state.study.is_exhausted
        self._check_limits()

    def _new_state(self, name: str, space: Space) -> ArchitectureState:
        known = sum(row["architecture"] == name for row in self._store.trials.values())
        study = ArchitectureStudy(
            architecture=name,
            space=space,
            search=self.spec.search,
            directions=[objective.goal for objective in self.spec.objectives],
            build=lambda chosen: self._factory.build(name, chosen, self.spec.seed),
            known=known,
        )
        return ArchitectureState(
            name=name,
            space=space,
            study=study,
            stopper=make_stopper(self.spec),
            objectives=self.spec.objectives,
            milestones=self.spec.budget.milestones,
        )

    @property
    def trials(self) -> Iterable[Trial]:
        """Every trial of the sweep, in the order of admission."""
        return self._trials.values()

    def curve_of(self, trial_id: str, metric: str) -> list[float]:
        """Return a metric over a trial's reports, in the order of training."""
        found = (report.get(metric) for report in self._store.reports_of(trial_id))
        return [float(value) for value in found if value is not None]

    @property
    def num_waiting(self) -> int:
        """Number of trials that were admitted, have not ended, and are not being trained."""
        return len(self._waiting) + len(self.assigned) - len(self.started)

    def _state_of(self, trial: Trial) -> ArchitectureState:
        return self.architectures[trial.candidate.architecture]

    # What an earlier driver left

    def _resume(self, *, retry_failed: bool) -> None:
        for trial in known_trials(self.spec, self._spaces, self._factory, self._store):
            if retry_failed and trial.row["status"] == "failed":
                trial.try_again()
                self._store.commit(("trials", dict(trial.row)))
            self._trials[trial.trial_id] = trial
            self._state_of(trial).add(trial)
            if not trial.is_confirmation:
                self._state_of(trial).study.restore(trial.candidate)
        for report in self._store.reports_in_order():
            if report["trial_id"] in self._trials:
                self._recall(self._trials[report["trial_id"]], report)
        for trial in self._trials.values():
            reports = self._store.reports_of(trial.trial_id)
            trial.catch_up(reports)
            outcome = stored_outcome(trial, reports, self._store.decisions_of(trial.trial_id))
            if trial.row.get("source_sweep") is None and reports:
                self._known_tokens += reports[-1]["tokens"]
            if outcome is None:
                trial.row["status"] = "running"
                self._waiting.append(trial)
                self._state_of(trial).study.go_on(trial.trial_id)
                continue
            if trial.row["status"] not in (outcome, "cached"):
                # The row is older than the report that ended it, or of a budget with other rungs.
                trial.end(outcome, reports[-1]["time"])
                self._store.commit(("trials", dict(trial.row)))
            self._take_end(trial, outcome)

    def _recall(self, trial: Trial, report: Row) -> None:
        """Take one stored report into account as if it had just come in."""
        rung = report["rung"]
        if rung is None or trial.is_confirmation:
            return
        if trial.candidate.plan.is_last(rung) or not is_finite(report):
            return
        state = self._state_of(trial)
        if any(row["rung"] == rung for row in self._store.decisions_of(trial.trial_id)):
            state.recall(trial, report)
        else:  # it was the last rung of a budget that has grown since
            self._store.commit(("decisions", state.judge(trial, report, self._micros())))

    # Giving out work

    def next(self) -> Assignment | None:
        """Return the next trial to train; None where there is none now (see `finished`)."""
        self.answer_known()
        while self.ending is None and self._waiting:
            upcoming = self._waiting.popleft()
            if not upcoming.ended:
                self.assigned[upcoming.trial_id] = upcoming
                upcoming.row["num_attempts"] += 1
                checkpoint = self._store.load_checkpoint(upcoming.trial_id)
                return Assignment(
                    candidate=upcoming.candidate,
                    checkpoint=checkpoint,
                    reports=tuple(self._store.reports_of(upcoming.trial_id)),
                )
            self.answer_known()
        return None

    def answer_known(self) -> None:
        """Admit trials and answer them from other sweeps, until one has to be trained."""
        self._check_limits()
        while self.ending is None and not self._waiting:
            admitted = self._admit_next()
            if admitted is None:
                return
            if not admitted.ended:
                self._waiting.append(admitted)

    def on_start(self, trial_id: str) -> None:
        """Record that a trial which was given out has got a slot."""
        trial = self.assigned.get(trial_id)
        if trial is not None:
            self.started.add(trial_id)
            self._store.commit(("trials", dict(trial.row)))  # so that no attempt is forgotten

    @property
    def finished(self) -> bool:
        """Whether no work is given out and none will come."""
        if self.assigned:
            return False
        return self.ending is not None or (not self._waiting and self._chooser.is_done)

    def remaining(self, state: ArchitectureState) -> int:
        """Return how many trials of an architecture may still be admitted, at most."""
        return self._chooser.remaining(state)

    def remarks(self) -> list[str]:
        """Return what the user should know of how the search went, in sentences."""
        others = len(self._store.trials) - len(self._trials)
        many = "1 trial" if others == 1 else f"{others} trials"
        told = f"not counted: {many} of an earlier spec, of other data or of other code"
        return [
            *([told] if others else []),
            *self._chooser.remarks(),
            *([failures(self._trials.values())] if self._num_failed else []),
        ]

    @property
    def too_many_failed(self) -> bool:
        """Whether more trials failed than the spec allows."""
        return self._num_failed > self.spec.limits.max_failed_trials

    @property
    def all_failed(self) -> bool:
        """Whether there are trials, and every one of them failed."""
        return 0 < self._num_failed == len(self._trials)

    def _check_limits(self) -> None:
        self.ending = self.ending or self._limits.ending(
            num_failed=self._num_failed, num_tokens=self._known_tokens + self.new_tokens
        )

    def _admit_next(self) -> Trial | None:
        proposed = self._chooser.propose()
        if proposed is None:
            return None
        state, candidate, cohort = proposed
        row = first_row(self.spec.name, candidate, cohort, self._micros())
        trial = Trial(candidate=candidate, row=row)
        self._store.commit(("trials", dict(row)))
        self._trials[trial.trial_id] = trial
        state.add(trial)
        folder = self._others.folder_of(trial.trial_id)
        if folder is not None and self._has_scores(trial.trial_id):
            self._answer_from(folder, trial)
        return trial

    def _has_scores(self, trial_id: str) -> bool:
        """Return whether another sweep has the scores that this one searches for."""
        scores = self._asked.needed & ASKED_FOR
        return not scores or all(
            report.get(score) is not None
            for report in self._others.rows(trial_id, "reports")
            if report["rung"] in self._asked.suite_rungs
            for score in scores
        )

    def _answer_from(self, folder: Path, trial: Trial) -> None:
        """Take a trial's rows from another sweep, and its checkpoint where they do not suffice."""
        trial.row["source_sweep"] = folder.name
        reports = self._others.rows(trial.trial_id, "reports")
        asked = {table: self._others.rows(trial.trial_id, table) for table in self._asked.tables}
        for report in reports:
            # An older version's rows lack columns of today.
            metrics = {n: report.get(n) for n in REPORTS.names if n not in SET_BY_DRIVER}
            answers = {
                table: [
                    row
                    for row in rows
                    if row["step"] == report["step"] and self._asked.wants(table, row)
                ]
                for table, rows in asked.items()
            }
            if self._take_report(trial, metrics, asked=answers, cached=True):
                return
        last = reports[-1]["step"] if reports else 0
        found = self._others.checkpoint(trial.trial_id, last)
        if found is not None:
            self._store.save_checkpoint(trial.trial_id, found.step, found.content)

    # Taking in results

    def on_report(
        self,
        trial_id: str,
        metrics: Mapping[str, Any],
        *,
        checkpoint: bytes | None = None,
        asked: Mapping[str, Iterable[Row]] = NOTHING,
        asked_seconds: float = 0.0,
        finished: bool = False,
        node: str = "",
        device: str = "",
    ) -> bool:
        """Record an evaluation and what follows from it.

        Args:
            trial_id: id of the trial that was evaluated.
            metrics: the columns of `reports` that training measures.
            checkpoint: the training state at this point; None leaves the stored one.
            asked: what the model answered at this point, rows by table.
            asked_seconds: time that it took, which the trial's own clock leaves out.
            finished: whether the trial ends here by itself (its patience ran out).
            node: name of the host that trained it.
            device: what it was trained on, `cpu` or `cuda`.

        Returns:
            whether the trial is to be stopped now.
        """
        trial = self._trials[trial_id]
        trial.row |= {"node": node, "device": device}
        known = self._store.reports_of(trial_id)
        if known and metrics["step"] <= known[-1]["step"]:
            return False  # trained again after a crash, to the same bits: nothing new
        if checkpoint is not None:
            self._store.save_checkpoint(trial_id, metrics["step"], checkpoint)
        before = known[-1] if known else {"seconds": 0.0, "tokens": 0}
        self.busy_seconds += metrics["seconds"] - before["seconds"] + asked_seconds
        self.new_tokens += metrics["tokens"] - before["tokens"]
        by_user = trial_id in self._unwanted
        ended = self._take_report(trial, metrics, asked=asked, finished=finished or by_user)
        if by_user:
            self._store.note("stopped", BY_USER, trial_id)
        if checkpoint is not None:
            self._store.keep_checkpoint(trial_id, metrics["step"], alone=ended)
        self._check_limits()
        leave = ended or self.ending is not None
        if leave:
            self._take_back(trial_id)
        return leave

    def _take_back(self, trial_id: str) -> Trial | None:
        self.started.discard(trial_id)
        return self.assigned.pop(trial_id, None)

    def _take_report(
        self,
        trial: Trial,
        metrics: Mapping[str, Any],
        *,
        asked: Mapping[str, Iterable[Row]] = NOTHING,
        cached: bool = False,
        finished: bool = False,
    ) -> bool:
        """Write a report with all that follows from it; return whether the trial has ended."""
        plan, known = trial.candidate.plan, self._store.reports_of(trial.trial_id)
        rung = plan.rung_of(metrics, known[-1] if known else None)
        report: Row = {
            "trial_id": trial.trial_id,
            "rung": rung,
            **metrics,
            "time": self._micros(),
        }
        entries: list[Entry] = [("reports", report)]
        place = {"trial_id": trial.trial_id, "rung": rung, "step": metrics["step"]}
        entries += [(table, place | row) for table, rows in asked.items() for row in rows]
        trial.take(metrics, rung)
        outcome: Outcome | None = None
        if not is_finite(metrics):
            outcome = "diverged"
        elif plan.is_over(metrics):
            outcome = "completed"
        elif rung is not None and not trial.is_confirmation:
            decision = self._state_of(trial).judge(trial, report, self._micros())
            entries.append(("decisions", decision))
            outcome = "stopped" if decision["action"] == "stop" else None
        if outcome is None and finished:
            outcome = "stopped"
        if outcome is not None:
            trial.end("cached" if cached else outcome, self._micros())
            entries.append(("trials", dict(trial.row)))
        self._store.commit(*entries)
        if outcome is not None:
            self._take_end(trial, outcome)
        return outcome is not None

    def _take_end(self, trial: Trial, outcome: Outcome) -> None:
        self.num_ended += 1
        self._num_failed += outcome == "failed"
        self._state_of(trial).on_end(trial, outcome)

    def on_lost(self, trial_id: str, error: str, *, retry: bool, kind: str = "lost") -> None:
        """Record that a trial's process died, or that training raised.

        Args:
            trial_id: id of the trial that it trained.
            error: what happened, in one line.
            retry: whether another process may train the trial.
            kind: one of `sweeps.store.tables.INCIDENT_KINDS`.
        """
        trial = self._take_back(trial_id)
        if trial is None:
            return
        trial.num_losses += kind != "node"
        self._store.note(kind, error, trial_id)
        if trial_id in self._unwanted:
            self._end(trial, "stopped")
            self._store.note("stopped", BY_USER, trial_id)
        elif retry and trial.num_losses < self.spec.limits.attempts:
            self._waiting.append(trial)
        else:
            trial.row["error"] = error
            self._end(trial, "failed")
            self._check_limits()

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        """End a trial otherwise than by a report."""
        trial.end(outcome, self._micros())
        self._store.commit(("trials", dict(trial.row)))
        self._store.keep_checkpoint(trial.trial_id, trial.row["step"] or 0, alone=True)
        self._take_end(trial, outcome)

    # What the user asks for

    def stop_trial(self, trial_id: str) -> str | None:
        """End a trial, at its next report if it is given out; return None, or why it cannot end."""
        trial = self._trials.get(trial_id)
        if trial is None:
            return "no such trial in this sweep"
        if trial.ended:
            return f"it has already ended: {trial.row['status']}"
        if trial_id in self.assigned:
            self._unwanted.add(trial_id)
        else:
            self._waiting.remove(trial)
            self._end(trial, "stopped")
            self._store.note("stopped", BY_USER, trial_id)
        return None

    def _micros(self) -> int:
        return int(time.time() * 1_000_000)
