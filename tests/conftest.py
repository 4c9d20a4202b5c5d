"""Fixtures of all tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.sweeps.simulation import Simulation


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulation]]:
    """Makes simulations and closes what they hold open."""
    made: list[Simulation] = []

    def make(*args: object, **options: object) -> Simulation:
        made.append(Simulation(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for simulation in made:
        simulation.store.close()
