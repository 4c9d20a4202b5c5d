"""A simulated sweep in a test: one driver's life after another over one results folder."""

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.decisions.trial import Assignment
from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)

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


def spec_with(**changes: Any) -> dict[str, Any]:
    """`SPEC` with whole sections replaced."""
    return copy.deepcopy(SPEC) | changes


class Simulation:
    """One driver's life over a results folder: `run` until done, or until it is killed."""

    def __init__(
        self,
        folder: Path,
        spec: Mapping[str, Any] = SPEC,
        *,
        elsewhere: Mapping[str, Path] | None = None,
        diverging: float = 0.0,
        elapsed: Callable[[], float] = time.monotonic,
        pace: Callable[[], float] = lambda: 20.0,
    ) -> None:
        self.coordinator, self.store = simulated_sweep(
            folder, spec, elsewhere=elsewhere, elapsed=elapsed
        )
        self.loss = lottery(diverging)
        self._pace = pace
        self.running: dict[str, SimulatedTrial] = {}
        self.steps_trained: list[tuple[str, int]] = []

    def work_of(self, assignment: Assignment) -> SimulatedTrial:
        """A process at this driver's pace."""
        return SimulatedTrial.of(assignment, self._pace())

    def run(self, *, slots: int = 2, seed: int = 0, events: int | None = None) -> bool:
        """Deliver reports in random order; whether the sweep came to its end."""
        runner = SimulatedRunner(
            self.loss, slots=slots, seed=seed, max_reports=events, running=self.running
        )
        try:
            runner.run(self.coordinator, self.work_of, lambda: None)
        finally:
            self.steps_trained += runner.delivered
        if self.running:
            return False
        assert self.coordinator.finished or events is not None
        return self.coordinator.finished

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
