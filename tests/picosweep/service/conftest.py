"""A service over a results folder with one simulated sweep; its queue is not at work."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from picosweep.service.guard import App, Keys
from picosweep.service.queue.manager import Manager
from picosweep.service.server import Settings, make_service
from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)
from tests.sweeps.simulation import spec_with

SWEEP = "simulated"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service, and how its doors are opened."""

    app: App
    manager: Manager
    keys: Keys
    results: Path

    @property
    def bearer(self) -> dict[str, str]:
        """Headers of a program that knows the token."""
        return {"authorization": f"Bearer {self.keys.token}", "content-type": "application/json"}


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a sweep of simulated trials."""
    results = tmp_path_factory.mktemp("served")
    coordinator, store = simulated_sweep(results, spec_with(name=SWEEP))
    SimulatedRunner(lottery()).run(coordinator, SimulatedTrial.of, lambda: None)
    store.seal()
    store.close()
    return results


@pytest.fixture
def served(simulated: Path, tmp_path: Path) -> Iterator[Served]:
    """A service that only this machine reaches."""
    results = shutil.copytree(simulated, tmp_path / "results")
    made = make_service(Settings(results=results))
    yield Served(app=made.app, manager=made.manager, keys=made.keys, results=results)
    made.manager.close()


@pytest.fixture
def shared(simulated: Path, tmp_path: Path) -> Iterator[Served]:
    """A service that others reach, too."""
    results = shutil.copytree(simulated, tmp_path / "shared")
    settings = Settings(results=results, host="192.0.2.1", hosts=("sweeps.example",))
    made = make_service(settings)
    yield Served(app=made.app, manager=made.manager, keys=made.keys, results=results)
    made.manager.close()
