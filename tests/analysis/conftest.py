"""One hand-written sweep, shared by the tests that only read it."""

from pathlib import Path

import pytest
from handmade import write_sweep

from analysis.results import Results, load


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a sweep over four architectures with every status and cohort."""
    return write_sweep(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture(scope="session")
def results(demo: Path) -> Results:
    """The same sweep, loaded."""
    return load(demo)
