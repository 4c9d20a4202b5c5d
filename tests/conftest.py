"""Fixtures of all tests."""

from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.sweeps.simulation import Simulation

# The same examples in every run, so that a suite that has passed passes again; to look for
# new ones, run with `--hypothesis-profile=default`.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


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
