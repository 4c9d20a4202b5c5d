"""The mind of a sweep: which trial next, what a report means, when it is over.

It knows neither Ray nor processes. Whoever runs trials asks `next` for work, hands every report to
`on_report`, every lost process to `on_lost`, and obeys. Everything it decides is in the store
before it acts on it, and a new coordinator over the same store goes on where the last one was
killed: that is all there is to resuming a sweep.
"""

import collections
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sweeps.candidates import Candidate, CandidateFactory
from sweeps.checkpoints import newest_checkpoint
from sweeps.early_stopping import make_stopper
from sweeps.journal import Entry, Row
from sweeps.sampling import ArchitectureSampler, objective_values
from sweeps.space import Space
from sweeps.spec import Spec
from sweeps.store import Store, read_rows
from sweeps.tables import REPORTS
from sweeps.trials import (
    SET_BY_DRIVER,
    Assignment,
    Family,
    Outcome,
    Trial,
    draw_cohort,
    first_row,
    is_finite,
    stored_outcome,
)


class Coordinator:
    """Decides for one sweep.

    Args:
        spec: the sweep.
        spaces: each architecture's search space.
        factory: completes configurations and gives them their identity.
        store: the sweep's rows; an earlier driver's are taken up.
        elsewhere: folders of other sweeps, by the ids of trials they have brought to an end.
        now: the clock, in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        spec: Spec,
        spaces: Mapping[str, Space],
        factory: CandidateFactory,
        store: Store,
        elsewhere: Mapping[str, Path] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._spec = spec
        self._spaces = spaces
        self._factory = factory
        self._store = store
        self._elsewhere = elsewhere or {}
        self._now = now
        self._started_at = now()
        self._trials: dict[str, Trial] = {}
        self._waiting: collections.deque[Trial] = collections.deque()
        self.running: dict[str, Trial] = {}
        self.stop_reason: str | None = None
        """Why no more work is given out, before all is done."""
        self._num_failed = 0
        self.busy_seconds = 0.0
        """Time in training and evaluation that this driver has seen."""
        self.new_tokens = 0
        self.families = {name: self._family(name, space) for name, space in spaces.items()}
        self._resume()

    def _family(self, name: str, space: Space) -> Family:
        known = sum(row["architecture"] == name for row in self._store.trials.values())
        sampler = ArchitectureSampler(
            architecture=name,
            space=space,
            search=self._spec.search,
            directions=[objective.goal for objective in self._spec.objectives],
            build=lambda chosen: self._factory.build(name, chosen, self._spec.seed),
            known=known,
        )
        return Family(name=name, space=space, sampler=sampler, stopper=make_stopper(self._spec))

    @property
    def trials(self) -> Iterable[Trial]:
        """Every trial of the sweep, in the order of admission."""
        return self._trials.values()

    # What an earlier driver left

    def _resume(self) -> None:
        for row in list(self._store.trials.values()):
            candidate = self._factory.from_config(row["config"], self._spaces)
            if candidate is None or candidate.architecture not in self.families:
                continue  # a spec that has changed: the row stays, this sweep goes on without it
            trial = Trial(candidate=candidate, row=dict(row))
            self._trials[trial.trial_id] = trial
            family = self.families[candidate.architecture]
            family.trials.append(trial)
            if not trial.is_confirmation:
                family.sampler.restore(candidate)
        for report in self._store.reports_in_order():
            if report["trial_id"] in self._trials:
                self._recall(self._trials[report["trial_id"]], report)
        for trial in self._trials.values():
            outcome = stored_outcome(
                trial,
                self._store.reports_of(trial.trial_id),
                self._store.decisions_of(trial.trial_id),
            )
            if outcome is None:
                trial.row["status"] = "running"
                self._waiting.append(trial)
            else:
                self._num_failed += outcome == "failed"
                if not trial.is_confirmation:
                    self._tell_sampler(trial, outcome)

    def _recall(self, trial: Trial, report: Row) -> None:
        """Take one stored report into account as if it had just come in."""
        rung = report["rung"]
        if rung is None or trial.is_confirmation:
            return
        rung_steps = trial.candidate.plan.rung_steps
        if rung >= len(rung_steps) - 1 or not is_finite(report):
            return
        decided = {row["rung"]: row for row in self._store.decisions_of(trial.trial_id)}
        decision = self._judge(trial, report)
        if rung not in decided:  # it was the last rung of a budget that has grown since
            self._store.commit(("decisions", decision))

    # Giving out work

    def next(self) -> Assignment | None:
        """The next trial to train; None where there is none now (see `finished`)."""
        self._check_limits()
        while self.stop_reason is None:
            upcoming = self._next_trial()
            if upcoming is None:
                return None
            if not upcoming.ended:
                self.running[upcoming.trial_id] = upcoming
                upcoming.row["num_attempts"] += 1
                checkpoint = self._store.load_checkpoint(upcoming.trial_id)
                return Assignment(candidate=upcoming.candidate, checkpoint=checkpoint)
        return None

    def _next_trial(self) -> Trial | None:
        return self._waiting.popleft() if self._waiting else self._admit_next()

    @property
    def finished(self) -> bool:
        """Whether no work is running and none will come."""
        if self.running:
            return False
        return self.stop_reason is not None or (
            not self._waiting
            and all(self.remaining(family) == 0 for family in self.families.values())
        )

    @property
    def too_many_failed(self) -> bool:
        """Whether more trials failed than the spec allows."""
        return self._num_failed > self._spec.limits.max_failed_trials

    def _check_limits(self) -> None:
        limits = self._spec.limits
        if self.too_many_failed:
            allowed = limits.max_failed_trials
            self.stop_reason = f"{self._num_failed} trials failed and the spec allows {allowed}"
        elif limits.minutes is not None and self._now() - self._started_at > 60 * limits.minutes:
            self.stop_reason = f"the limit of {limits.minutes:g} minutes was reached"

    def _admit_next(self) -> Trial | None:
        """Admit a trial of the architecture that has most work left.

        Long jobs first keeps every slot busy to the end. An architecture whose cost is not known
        yet comes before all others.
        """
        for family in sorted(self.families.values(), key=self._work_left, reverse=True):
            if self._search_left(family):
                candidate = family.sampler.propose()
                if candidate is None:
                    family.exhausted = True
                    continue
                return self._admit(family, candidate, self._cohort(family))
            candidate = next(iter(self._confirmations_left(family)), None)
            if candidate is not None:
                return self._admit(family, candidate, "confirm")
        return None

    def _search_left(self, family: Family) -> int:
        if family.exhausted:
            return 0
        return max(0, self._spec.search.trials_per_architecture - len(family.searched))

    def remaining(self, family: Family) -> int:
        """Trials of this architecture not admitted yet, as far as can be known."""
        search = self._search_left(family)
        if search or any(not trial.ended for trial in family.searched):
            return search + self._spec.confirm.top * self._spec.confirm.seeds
        return len(self._confirmations_left(family))

    def _work_left(self, family: Family) -> float:
        mean = family.mean_seconds()
        if mean is None:
            return math.inf if not family.trials else 0.0
        return mean * self.remaining(family)

    def _cohort(self, family: Family) -> str:
        ordinal = f"{self._spec.search.seed}/{family.name}/{len(family.searched)}"
        return draw_cohort(ordinal, self._spec.early_stopping.exempt_fraction)

    def _confirmations_left(self, family: Family) -> list[Candidate]:
        """Winners to re-run on fresh seeds, once every searched trial has ended."""
        confirm = self._spec.confirm
        if not confirm.top or any(not trial.ended for trial in family.searched):
            return []
        best = family.ranked(self._spec.objectives[0], self._spec.budget.rungs - 1)
        again = [
            self._factory.with_seed(trial.candidate, self._spec.seed + offset)
            for trial in best[: confirm.top]
            for offset in range(1, confirm.seeds + 1)
        ]
        return [candidate for candidate in again if candidate.trial_id not in self._trials]

    def _admit(self, family: Family, candidate: Candidate, cohort: str) -> Trial:
        row = first_row(self._spec.name, candidate, cohort, self._micros())
        trial = Trial(candidate=candidate, row=row)
        self._store.commit(("trials", dict(row)))
        self._trials[trial.trial_id] = trial
        family.trials.append(trial)
        if trial.trial_id in self._elsewhere:
            self._answer_from(self._elsewhere[trial.trial_id], trial)
        return trial

    def _answer_from(self, folder: Path, trial: Trial) -> None:
        """Take a trial's rows from another sweep, and its checkpoint where they do not suffice."""
        trial.row["source_sweep"] = folder.name
        reports, samples = (
            [row for row in read_rows(folder, table) if row["trial_id"] == trial.trial_id]
            for table in ("reports", "samples")
        )
        reports.sort(key=lambda row: row["step"])
        for report in reports:
            metrics = {name: report[name] for name in REPORTS.names if name not in SET_BY_DRIVER}
            texts = [row for row in samples if row["step"] == report["step"]]
            if self._take_report(trial, metrics, samples=texts, cached=True):
                return
        last = reports[-1]["step"] if reports else 0
        path = newest_checkpoint(folder, trial.trial_id, last)
        if path is not None:
            self._store.save_checkpoint(trial.trial_id, int(path.stem), path.read_bytes())

    # Hearing of results

    def on_report(
        self,
        trial_id: str,
        metrics: Mapping[str, Any],
        *,
        checkpoint: bytes | None = None,
        samples: Iterable[Row] = (),
        finished: bool = False,
        node: str = "",
        device: str = "",
    ) -> bool:
        """Take in an evaluation.

        Args:
            trial_id: whose.
            metrics: the columns of `reports` that training measures.
            checkpoint: the training state at this point.
            samples: texts that the model wrote at this point.
            finished: whether the trial ends here by itself (its patience ran out).
            node: where it ran.
            device: on what.

        Returns:
            Whether the trial is to be stopped now.

        Raises:
            OSError: the row could not be written; it does not count then.
        """
        trial = self._trials[trial_id]
        trial.row |= {"node": node, "device": device}
        known = self._store.reports_of(trial_id)
        if known and metrics["step"] <= known[-1]["step"]:
            return False  # trained again after a crash, to the same bits: nothing new
        if checkpoint is not None:
            self._store.save_checkpoint(trial_id, metrics["step"], checkpoint)
        before = known[-1] if known else {"seconds": 0.0, "tokens": 0}
        self.busy_seconds += metrics["seconds"] - before["seconds"]
        self.new_tokens += metrics["tokens"] - before["tokens"]
        ended = self._take_report(trial, metrics, samples=samples, finished=finished)
        if checkpoint is not None:
            self._store.drop_older_checkpoints(trial_id, metrics["step"])
        if not ended:
            self._check_limits()
        leave = ended or self.stop_reason is not None
        if leave:
            self.running.pop(trial_id, None)
        return leave

    def _take_report(
        self,
        trial: Trial,
        metrics: Mapping[str, Any],
        *,
        samples: Iterable[Row] = (),
        cached: bool = False,
        finished: bool = False,
    ) -> bool:
        """Write a report with all that follows from it; whether the trial has ended."""
        rung = trial.candidate.plan.rung_at(metrics["step"])
        report: Row = {
            "trial_id": trial.trial_id,
            "rung": rung,
            **metrics,
            "time": self._micros(),
        }
        entries: list[Entry] = [("reports", report)]
        place = {"trial_id": trial.trial_id, "rung": rung, "step": metrics["step"]}
        entries += [("samples", place | sample) for sample in samples]
        trial.take(metrics, rung)
        outcome: Outcome | None = None
        if not is_finite(metrics):
            outcome = "diverged"
        elif metrics["step"] >= trial.candidate.plan.rung_steps[-1]:
            outcome = "completed"
        elif rung is not None and not trial.is_confirmation:
            decision = self._judge(trial, report)
            entries.append(("decisions", decision))
            outcome = "stopped" if decision["action"] == "stop" else None
        if outcome is None and finished:
            outcome = "stopped"
        if outcome is not None:
            trial.row["status"] = "cached" if cached else outcome
            trial.row["end_time"] = self._micros()
            entries.append(("trials", dict(trial.row)))
        self._store.commit(*entries)
        if outcome is not None and not trial.is_confirmation:
            self._tell_sampler(trial, outcome)
        return outcome is not None

    def _judge(self, trial: Trial, report: Row) -> Row:
        """Ask early stopping about a trial at a rung before the last."""
        objective = self._spec.objectives[0]
        family = self.families[trial.candidate.architecture]
        value = float(report[objective.metric])
        family.sampler.report(trial.trial_id, report["step"], value)
        verdict = family.stopper.judge(trial.trial_id, report["rung"], value)
        stop = "exempt" if trial.row["cohort"] == "exempt" else "stop"
        return {
            "trial_id": trial.trial_id,
            "rung": report["rung"],
            "milestone": self._spec.budget.milestones[report["rung"]],
            "value": value,
            "cutoff": verdict.cutoff,
            "action": stop if verdict.stop else "continue",
            "time": self._micros(),
        }

    def _tell_sampler(self, trial: Trial, outcome: Outcome) -> None:
        values = (
            objective_values(self._spec.objectives, trial.row) if outcome == "completed" else None
        )
        family = self.families[trial.candidate.architecture]
        family.sampler.tell(trial.trial_id, outcome, values)

    def on_lost(self, trial_id: str, error: str, *, retry: bool) -> None:
        """Hear that a trial's process died, or that training raised.

        Args:
            trial_id: whose.
            error: what happened, in a line.
            retry: whether another process may have more luck.
        """
        trial = self.running.pop(trial_id, None)
        if trial is None:
            return
        trial.num_losses += 1
        if retry and trial.num_losses < self._spec.limits.attempts:
            self._waiting.append(trial)
            return
        trial.row |= {"status": "failed", "error": error, "end_time": self._micros()}
        self._store.commit(("trials", dict(trial.row)))
        self._num_failed += 1
        if not trial.is_confirmation:
            self._tell_sampler(trial, "failed")
        self._check_limits()

    def _micros(self) -> int:
        return int(self._now() * 1_000_000)
