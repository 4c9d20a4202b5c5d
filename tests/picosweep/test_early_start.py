"""Ray is started before the spec is read closely only where it is certain to be needed."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from picosweep.early_start import start_ray_early
from picosweep.sweeps.spec.schema import Resources
from tests.small_sweep import SPEC, command, write_sweep


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Resources]:
    """For what a Ray would have been started."""
    found: list[Resources] = []
    monkeypatch.setattr("picosweep.sweeps.workers.connection.connect_early", found.append)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return found


def test_a_fresh_sweep_needs_it(started: list[Resources], tmp_path: Path) -> None:
    spec = write_sweep(tmp_path, resources={"cpu": 0.5, "max_concurrent": 3})
    start_ray_early(spec, tmp_path / "results")
    assert started == [Resources(cpu=0.5, max_concurrent=3)]


@pytest.mark.parametrize("what", ["cluster", "bucket", "folder", "data", "section", "slip", "yaml"])
def test_otherwise_it_waits(
    what: str, started: list[Resources], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another cluster, trials that may be there already, and what a glance shows to be wrong."""
    spec, results = write_sweep(tmp_path), tmp_path / "results"
    content = yaml.safe_load(spec.read_text())
    if what == "cluster":
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    elif what == "bucket":
        results = Path("s3://bucket/results")
    elif what == "folder":
        (results / SPEC["name"]).mkdir(parents=True)
    elif what == "data":
        content["data"]["source"] = str(tmp_path / "missing.txt")
    elif what == "section":
        del content["budget"]
    elif what == "slip":
        content["resources"] = {"cpus": 1}
    spec.write_text("a: [" if what == "yaml" else yaml.safe_dump(content))
    start_ray_early(spec, results)
    assert started == []


@pytest.mark.ray
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_a_wrong_spec_leaves_no_process(tmp_path: Path) -> None:
    """Ray's processes end with ours, although nobody has stopped them."""
    spec = write_sweep(tmp_path, early_stopping={"scheduler": "nonsense"})
    marked = os.environ | {"PICOSWEEP_TEST": str(tmp_path)}
    ended = subprocess.run(
        command("run", spec, "--results", tmp_path / "results"),
        env=marked, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "early_stopping.scheduler" in ended.stderr
    end = time.monotonic() + 20
    while left := _with_mark(str(tmp_path)):
        assert time.monotonic() < end, left
        time.sleep(0.2)


def _with_mark(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:  # it has ended, or is another user's
            continue
    return found
