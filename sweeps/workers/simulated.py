"""A runner that trains nothing: reports come from a formula, and in a random order.

With it a whole sweep (sampler, early stopping, journal, confirmation) takes seconds, so that
decisions can be studied on losses whose truth is known.
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Assignment
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import REPORTS, SET_BY_DRIVER

Loss = Callable[[Candidate, int], float]
"""The validation loss of a configuration after so many optimizer steps."""


@dataclass(frozen=True, kw_only=True)
class SimulatedData:
    """As much of prepared data as a trial's identity needs."""

    fingerprint: str = "data"
    tokenizer_fingerprint: str = "tokenizer"
    vocab_size: int = 64


def simulated_data(spec: Spec) -> dict[int, SimulatedData]:
    """Return data in the vocabulary that a spec names, as `CheckedSweep.with_data` takes it."""
    return {spec.data_config.tokenizer.vocab_size: SimulatedData()}


def simulated_sweep(
    folder: Path,
    spec: Mapping[str, Any],
    *,
    elsewhere: Mapping[str, Path] | None = None,
    retry_failed: bool = False,
    elapsed: Callable[[], float] = time.monotonic,
) -> tuple[Coordinator, Store]:
    """Open a sweep over data that does not exist, new or as an earlier driver left it.

    Args:
        folder: the results folder.
        spec: content of a spec; its data section is only checked.
        elsewhere: folders of other sweeps by the trials that ended there; None for none.
        retry_failed: whether trials that failed under an earlier driver are tried again.
        elapsed: the clock of limits, in seconds.
    """
    checked = check_sweep(spec)
    sweep = checked.with_data(simulated_data(checked.spec))
    store = Store(folder / checked.spec.name, checked.column_types())
    coordinator = Coordinator(
        spec=sweep.spec,
        spaces=sweep.spaces,
        factory=sweep.factory,
        store=store,
        elsewhere=elsewhere,
        retry_failed=retry_failed,
        elapsed=elapsed,
    )
    return coordinator, store


def lottery(diverging: float = 0.0) -> Loss:
    """Return a loss that falls with the steps, towards a floor drawn for each configuration.

    Args:
        diverging: share of the configurations, those with the highest floor, whose loss is NaN
            after 20 steps.
    """

    def loss(candidate: Candidate, step: int) -> float:
        luck = int(hashlib.sha256(candidate.config.encode()).hexdigest()[:8], 16) / 2**32
        if luck > 1 - diverging and step > 20:
            return float("nan")
        return 2.0 + 3.0 * luck + 4.0 / step

    return loss


@dataclass(kw_only=True)
class SimulatedTrial:
    """A trial in training: what `pico.training.train.train` would do, without the training."""

    assignment: Assignment
    step: int
    seconds: float
    pace: float
    """Steps a second."""

    @classmethod
    def of(cls, assignment: Assignment, pace: float = 20.0) -> "SimulatedTrial":
        """Go on from the assignment's checkpoint, or begin."""
        step, seconds = (assignment.checkpoint or b"0 0").decode().split()
        return cls(assignment=assignment, step=int(step), seconds=float(seconds), pace=pace)

    def advance(self) -> None:
        """Train to the next report: a known one first, where the checkpoint is older."""
        plan = self.assignment.candidate.plan
        if plan.unit == "steps":
            step = next(step for step in plan.steps if step > self.step)
            self.seconds += (step - self.step) / self.pace
            self.step = step
            return
        known = [r for r in self.assignment.reports if r["step"] > self.step]
        if known:
            self.step, self.seconds = known[0]["step"], known[0]["training_seconds"]
            return
        mark = next(mark for mark in plan.seconds if mark > self.seconds)
        while self.seconds < mark:
            self.step += 1
            self.seconds += 1 / self.pace

    def checkpoint(self) -> bytes:
        """Return step and seconds as `of` reads them."""
        return f"{self.step} {self.seconds!r}".encode()


class SimulatedRunner:
    """Delivers reports, and no starts, of trials that are not trained: see `runner.Runner`.

    Args:
        loss: loss of a configuration at a step.
        slots: number of trials in training at once.
        seed: seed of the order in which reports come.
        max_reports: reports after which to stop, as a killed driver does; None: no limit.
        running: trials that an earlier runner left unfinished, by their ids; None: none.
    """

    def __init__(
        self,
        loss: Loss,
        *,
        slots: int = 2,
        seed: int = 0,
        max_reports: int | None = None,
        running: dict[str, SimulatedTrial] | None = None,
    ) -> None:
        self._loss = loss
        self._slots = slots
        self._chance = random.Random(seed)
        self._max_reports = max_reports
        self.running = {} if running is None else running
        self.delivered: list[tuple[str, int]] = []
        """Trial and step of each report, in the order in which they came."""

    def run(
        self,
        coordinator: Coordinator,
        work_of: Callable[[Assignment], SimulatedTrial],
        beat: Callable[[], None],
    ) -> None:
        """Run until the coordinator has no more work, or `max_reports` have been delivered."""
        while self._max_reports is None or len(self.delivered) < self._max_reports:
            while len(self.running) < self._slots:
                assignment = coordinator.next()
                if assignment is None:
                    break
                self.running[assignment.candidate.trial_id] = work_of(assignment)
            if not self.running:
                return
            self._deliver(coordinator, self._chance.choice(sorted(self.running)))
            beat()

    def _deliver(self, coordinator: Coordinator, trial_id: str) -> None:
        trial = self.running[trial_id]
        trial.advance()
        self.delivered.append((trial_id, trial.step))
        metrics = simulated_metrics(trial, self._loss)
        if coordinator.on_report(trial_id, metrics, checkpoint=trial.checkpoint()):
            del self.running[trial_id]


def simulated_metrics(trial: SimulatedTrial, loss: Loss) -> dict[str, Any]:
    """Return a report: a pure function of configuration and step, but for the clock."""
    candidate = trial.assignment.candidate
    tokens = trial.step * candidate.trial.tokens_per_step
    return simulated_report(
        step=trial.step,
        tokens=tokens,
        flops=tokens * candidate.facts.flops_per_token,
        seconds=tokens / 1000,
        training_seconds=trial.seconds,
        loss=loss(candidate, trial.step),
    )


def simulated_report(*, loss: float, **known: float) -> dict[str, Any]:
    """Return every column that training measures: the known ones, the loss, and placeholders."""
    measured = [name for name in REPORTS.names if name not in SET_BY_DRIVER]
    return (
        dict.fromkeys(measured, 1.0)
        | {"val_accuracy": 0.5, "peak_memory_bytes": 1}
        | known
        | {
            "train_loss": loss,
            "val_loss": loss,
        }
    )
