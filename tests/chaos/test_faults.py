"""A short run of the fault suite; the whole of it is `make chaos`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(480)
def test_a_sweep_under_faults_is_whole_in_the_end() -> None:
    """Kills, failing trials and damage to the folder: nothing lost, doubled or trained twice."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--faults", "8", "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "\n8 faults" in result.stdout
