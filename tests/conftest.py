"""Fixtures of all tests."""

import os
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.sweeps.simulation import Simulation

# The same examples in every run, so that a suite that has passed passes again; to look for
# new ones, run with `--hypothesis-profile=default`.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


# Ray's workers step back behind all other work (niceness 15). On a busy machine they would get
# next to nothing, and tests that wait for them would run out of time.
os.environ.setdefault("RAY_worker_niceness", "0")


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
