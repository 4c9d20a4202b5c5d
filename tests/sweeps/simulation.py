"""A sweep without Ray and without training: reports come from a formula, in a random order."""

import copy
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.decisions.coordinator import Assignment, Coordinator
from picosweep.sweeps.search.candidates import CandidateFactory
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.hyperparameters import column_types
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.spec.spaces import build_spaces
from picosweep.sweeps.store.store import Store

SPEC: dict[str, Any] = {
    "name": "simulated",
    "data": {"source": "stdlib", "block_size": 16},
    "budget": {"unit": "tokens", "min": 256, "factor": 3, "rungs": 3, "reports_per_rung": 2},
    "search": {"trials_per_architecture": 9, "startup_trials": 4},
    "early_stopping": {"exempt_fraction": 0.2},
    "confirm": {"top": 1, "seeds": 2},
    "common": {"learning_rate": {"log_uniform": [1e-4, 1e-1]}, "batch_size": [4, 8]},
    "architectures": {
        "kgram": {"context_size": [1, 2, 3], "embed_size": [8, 16]},
        "lstm": {"hidden_size": [8, 16], "embed_size": 8},
    },
}


@dataclass(frozen=True)
class SimulatedData:
    """As much of prepared data as an identity needs."""

    fingerprint: str = "data"
    tokenizer_fingerprint: str = "tokenizer"
    vocab_size: int = 64


def simulated_data(spec: Spec) -> dict[int, SimulatedData]:
    """The data in the vocabulary that a spec names."""
    return {spec.data_config.tokenizer.vocab_size: SimulatedData()}


def spec_with(**changes: Any) -> dict[str, Any]:
    """`SPEC` with whole sections replaced."""
    return copy.deepcopy(SPEC) | changes


@dataclass
class Process:
    """A trial in training: what `pico.training.train.train` would do, without the training."""

    assignment: Assignment
    step: int
    seconds: float
    pace: float
    """Steps a second, while this process lives."""

    @classmethod
    def of(cls, assignment: Assignment, pace: float) -> "Process":
        """From the checkpoint, or from the start."""
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
        """Its state."""
        return f"{self.step} {self.seconds!r}".encode()


class Simulation:
    """One driver's life over a results folder: `run` until done, or until it is killed."""

    def __init__(
        self,
        folder: Path,
        spec: Mapping[str, Any] = SPEC,
        *,
        elsewhere: Mapping[str, Path] | None = None,
        diverging: float = 0.0,
        now: Callable[[], float] = time.time,
        pace: Callable[[], float] = lambda: 20.0,
    ) -> None:
        parsed = parse_spec(spec)
        document = Document(path=Path("spec"), content=0, lines={})
        architectures = find_architectures(parsed, document)
        spaces, constraints = build_spaces(parsed, document, architectures)
        classes = {name: found.config_class for name, found in architectures.items()}
        types = column_types({**classes, "training": TrainingConfig})
        self.store = Store(folder / parsed.name, types)
        self.coordinator = Coordinator(
            spec=parsed,
            spaces=spaces,
            factory=CandidateFactory(parsed, architectures, simulated_data(parsed), constraints),
            store=self.store,
            elsewhere=elsewhere,
            now=now,
        )
        self.diverging = diverging
        self._pace = pace
        self.running: dict[str, Process] = {}
        self.steps_trained: list[tuple[str, int]] = []

    def run(self, *, slots: int = 2, seed: int = 0, events: int | None = None) -> bool:
        """Deliver reports in random order; whether the sweep came to its end."""
        chance = random.Random(seed)
        delivered = 0
        while events is None or delivered < events:
            while len(self.running) < slots:
                assignment = self.coordinator.next()
                if assignment is None:
                    break
                self.running[assignment.candidate.trial_id] = Process.of(assignment, self._pace())
            if not self.running:
                assert self.coordinator.finished
                return True
            self.deliver(chance.choice(sorted(self.running)))
            delivered += 1
        return False

    def deliver(self, trial_id: str) -> None:
        """Train one trial to its next report."""
        process = self.running[trial_id]
        process.advance()
        self.steps_trained.append((trial_id, process.step))
        metrics = self.metrics(process.assignment, process.step, process.seconds)
        if self.coordinator.on_report(trial_id, metrics, checkpoint=process.checkpoint()):
            del self.running[trial_id]

    def metrics(
        self, assignment: Assignment, step: int, training_seconds: float = 0.0
    ) -> dict[str, Any]:
        """A report as a pure function of configuration and step, but for the clock."""
        candidate = assignment.candidate
        luck = int(hashlib.sha256(candidate.config.encode()).hexdigest()[:8], 16) / 2**32
        loss = 2.0 + 3.0 * luck + 4.0 / step
        if luck > 1 - self.diverging and step > 20:
            loss = float("nan")
        tokens = step * candidate.trial.tokens_per_step
        return {
            "step": step,
            "tokens": tokens,
            "flops": tokens * candidate.facts.flops_per_token,
            "seconds": tokens / 1000,
            "training_seconds": training_seconds,
            "train_loss": loss,
            "val_loss": loss,
            **dict.fromkeys(
                ("val_accuracy", "val_perplexity", "bits_per_byte", "learning_rate", "grad_norm"),
                0.5,
            ),
            **dict.fromkeys(
                ("grad_norm_clipped", "weight_norm", "max_param_grad", "tokens_per_second"), 1.0
            ),
            "peak_memory_bytes": 1,
        }

    def kill(self) -> None:
        """End this driver as SIGKILL would: what is not on disk is gone."""
        self.store.close()

    def die_between_checkpoint_and_journal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Deliver two reports, and be killed at the third when its checkpoint is written."""

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        self.run(slots=1, events=2)
        with monkeypatch.context() as patched:
            patched.setattr(self.store, "commit", killed)
            with pytest.raises(KeyboardInterrupt):
                self.run(slots=1, events=1)
        self.kill()
