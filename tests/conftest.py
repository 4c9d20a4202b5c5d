"""Fixtures of all tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.sweeps.simulation import Simulation


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that start Ray, or a browser, in one process where tests run in several.

    Each of them alone keeps both cores busy; with two at a time both would wait.
    """
    for item in items:
        for name in ("ray", "browser"):
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.xdist_group(name))


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
