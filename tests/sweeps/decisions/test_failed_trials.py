"""Trials that failed: they stay so until the user says that the cause is gone."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.decisions.limits import RETRY
from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)
from tests.sweeps.simulation import spec_with

ERROR = "FileNotFoundError: table.txt"


def spec(allowed: int) -> dict[str, Any]:
    return spec_with(
        architectures={"kgram": {"hidden_size": [16, 32]}},
        common={"batch_size": 4},
        confirm={"top": 0},
        early_stopping={"scheduler": "none"},
        limits={"max_failed_trials": allowed},
    )


def fail_all(folder: Path, allowed: int = 9) -> None:
    coordinator, store = simulated_sweep(folder, spec(allowed))
    with closing(store):
        while (assignment := coordinator.next()) is not None:
            coordinator.on_lost(assignment.candidate.trial_id, ERROR, retry=False, kind="failed")
        assert coordinator.finished


def test_a_sweep_of_which_every_trial_failed_says_so_each_time(tmp_path: Path) -> None:
    fail_all(tmp_path)
    for _ in range(2):
        coordinator, store = simulated_sweep(tmp_path, spec(9))
        with closing(store):
            assert coordinator.finished
            assert coordinator.all_failed
            assert not coordinator.too_many_failed
            assert f"failed: 2 × {ERROR}" in coordinator.remarks()


def test_the_limit_says_how_it_goes_on(tmp_path: Path) -> None:
    fail_all(tmp_path, allowed=0)
    coordinator, store = simulated_sweep(tmp_path, spec(0))
    with closing(store):
        assert coordinator.ending is not None
        assert coordinator.ending.reason == "1 trial failed and the spec allows none"
        assert coordinator.ending.advice == RETRY


@pytest.mark.parametrize("allowed", [0, 9])
def test_failed_trials_are_trained_again_when_that_is_asked_for(
    tmp_path: Path, allowed: int
) -> None:
    fail_all(tmp_path, allowed)
    coordinator, store = simulated_sweep(tmp_path, spec(allowed), retry_failed=True)
    with closing(store):
        SimulatedRunner(lottery()).run(coordinator, SimulatedTrial.of, lambda: None)
        rows = list(store.trials.values())
    assert {row["status"] for row in rows} == {"completed"}
    assert {row.get("error") for row in rows} == {None}
    assert all(row["num_attempts"] == 2 for row in rows[:1])
    assert not coordinator.all_failed
