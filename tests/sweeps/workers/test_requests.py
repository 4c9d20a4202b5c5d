"""What another terminal may ask of a running sweep."""

from collections.abc import Callable
from pathlib import Path

import pytest

from picosweep.commands.status import sweep_status
from picosweep.commands.stop import stop
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.mailbox import take_requests
from picosweep.sweeps.store.now import read_now
from picosweep.sweeps.workers.heartbeat import Heartbeat
from tests.sweeps.simulation import Simulation

Simulate = Callable[..., Simulation]


def test_one_trial_is_stopped_and_the_rest_goes_on(simulate: Simulate, tmp_path: Path) -> None:
    """It ends as stopped at its next report, Optuna hears PRUNED, and it is not resumed."""
    simulation = simulate(tmp_path)
    heartbeat = Heartbeat(simulation.coordinator, simulation.store, 2)
    simulation.run(events=1)
    trial_id = next(iter(simulation.running))
    architecture = simulation.store.trials[trial_id]["architecture"]
    assert "next report" in stop("simulated", trial=trial_id[:12], results=tmp_path)
    heartbeat.beat()
    assert take_requests(simulation.store.folder) == []
    while trial_id in simulation.running:
        simulation.run(events=1)
    row = simulation.store.trials[trial_id]
    assert row["status"] == "stopped"
    assert [row["kind"] for row in simulation.store.rows["incidents"][trial_id]] == ["stopped"]
    study = simulation.coordinator.architectures[architecture].study._study
    assert "PRUNED" in {trial.state.name for trial in study.trials}
    with pytest.raises(InputError, match="already ended"):
        stop("simulated", trial=trial_id, results=tmp_path)
    assert simulation.run()
    simulation.kill()
    again = simulate(tmp_path)
    assert again.coordinator.finished
    assert again.store.trials[trial_id]["status"] == "stopped"


def test_a_waiting_trial_is_stopped_at_once(simulate: Simulate, tmp_path: Path) -> None:
    """A trial without a process has no next report to wait for."""
    simulation = simulate(tmp_path)
    assignment = simulation.coordinator.next()
    assert assignment is not None
    trial_id = assignment.candidate.trial_id
    simulation.coordinator.on_lost(trial_id, "killed", retry=True)
    assert simulation.coordinator.stop_trial(trial_id) is None
    assert simulation.store.trials[trial_id]["status"] == "stopped"
    assert simulation.coordinator.stop_trial(trial_id) == "it has already ended: stopped"
    assert simulation.coordinator.stop_trial("nope") == "no such trial in this sweep"
    simulation.kill()
    assert simulate(tmp_path).coordinator.num_waiting == 0


def test_a_request_to_end_the_sweep_interrupts_it(simulate: Simulate, tmp_path: Path) -> None:
    """Where no signal can reach the driver, a file does; an old one concerns nobody."""
    simulation = simulate(tmp_path)
    requests = simulation.store.folder / "requests"
    requests.mkdir()
    (requests / "sweep").touch()
    heartbeat = Heartbeat(simulation.coordinator, simulation.store, 2)
    heartbeat.beat()
    (requests / "sweep").touch()
    heartbeat._due = 0.0
    with pytest.raises(KeyboardInterrupt):
        heartbeat.beat()


def test_a_sweep_that_does_not_run_cannot_be_stopped(simulate: Simulate, tmp_path: Path) -> None:
    """The message says so."""
    simulate(tmp_path).kill()
    with pytest.raises(InputError, match="not running"):
        stop("simulated", results=tmp_path)


def test_status_tells_trained_from_waiting_trials(simulate: Simulate, tmp_path: Path) -> None:
    """Only trials with a slot are running; those that Ray has in hand wait."""
    simulation = simulate(tmp_path)
    heartbeat = Heartbeat(simulation.coordinator, simulation.store, 2)
    ids = [simulation.coordinator.next().candidate.trial_id for _ in range(3)]  # type: ignore[union-attr]
    for trial_id in ids[:2]:
        simulation.coordinator.on_start(trial_id)
    heartbeat.beat()
    assert read_now(simulation.store.folder) == {
        "slots": 2,
        "running": sorted(ids[:2]),
        "num_waiting": 1,
    }
    status = sweep_status(simulation.store.folder)
    assert status["statuses"] == {"running": 2, "waiting": 1}
    simulation.kill()
    status = sweep_status(simulation.store.folder)
    assert status["statuses"] == {"waiting": 3}
