"""Tune forgets what has ended, and the sweep goes on all the same."""

import gc
from pathlib import Path

import pytest
from ray.tune.experiment import Trial

from benchmarks.stub import Stub
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.tune_runner import run_tune
from picosweep.sweeps.workers.work import Shared
from tests.sweeps.simulation import Simulation, spec_with

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_ended_trials_leave_the_drivers_memory(tmp_path: Path) -> None:
    """However many have ended, only those that run and the next ones are held."""
    content = spec_with(search={"trials_per_architecture": 12, "sampler": "random"})
    simulation = Simulation(tmp_path, content)
    held: list[int] = []

    def beat() -> None:
        if simulation.coordinator.num_ended >= 20:
            held.append(sum(type(found) is Trial for found in gc.get_objects()))

    with Cluster(parse_spec(content).resources) as cluster:
        cluster.start()
        run_tune(
            simulation.coordinator,
            spec=parse_spec(content),
            data={"data": Shared(folder=None, fingerprint="data", reference=None)},
            initial=None,
            beat=beat,
            cluster=cluster,
            trainable=Stub,
        )
        most = 2 * cluster.slots + 2
    assert simulation.coordinator.finished
    assert len(simulation.store.trials) == 28
    assert max(held) <= most
    simulation.kill()
