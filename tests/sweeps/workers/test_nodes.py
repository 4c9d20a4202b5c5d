"""Several nodes on one machine: trials spread over them and survive the loss of one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.spec.schema import Resources
from picosweep.sweeps.workers.cluster import slots_of
from tests.small_sweep import check_whole, picosweep, write_sweep

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]

START = """
import json, sys, time
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args=json.loads(sys.argv[1]))
nodes = [cluster.add_node(**options) for options in json.loads(sys.argv[2])]
pids = [node.all_processes["raylet"][0].process.pid for node in [cluster.head_node, *nodes]]
print(json.dumps([cluster.address, pids]), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


class Nodes:
    """A Ray cluster of several nodes, in processes of its own."""

    def __init__(self, *options: dict[str, Any]) -> None:
        # On a busy machine a node may not come up within the time that Ray gives it.
        for _ in range(3):
            told = self._start(*options)
            if told is not None:
                self.address, self.raylets = told
                return
            self.stop()
        raise RuntimeError("Ray's nodes did not come up in three tries")

    def _start(self, *options: dict[str, Any]) -> Any:
        extra = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, json.dumps(options[0] | extra)),
                json.dumps([other | extra for other in options[1:]]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=os.environ | {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("["):  # other lines are Ray's own
                return json.loads(line)
        return None

    def actors(self) -> Counter[int]:
        """How many trial actors each raylet has."""
        found: Counter[int] = Counter()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if "TrialActor" in (entry / "cmdline").read_text():
                    found[parent] += 1
            except OSError:
                continue
        return Counter({raylet: found[raylet] for raylet in self.raylets if found[raylet]})

    def kill(self, raylet: int) -> None:
        """End a node as a power cut would, its workers included."""
        children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
        for pid in (raylet, *map(int, children)):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


@pytest.fixture
def two_nodes() -> Iterator[Nodes]:
    """Two nodes on which two trials each fit."""
    # The driver joins through the node that has its address: not the one that is to die.
    nodes = Nodes({"num_cpus": 2}, {"num_cpus": 2, "node_ip_address": "127.0.0.2"})
    yield nodes
    nodes.stop()


def test_a_lost_node_costs_nothing_but_time(tmp_path: Path, two_nodes: Nodes) -> None:
    """Two trials run on two nodes; one node dies; nothing is lost, and no attempt counted."""
    spec = write_sweep(
        tmp_path,
        budget={"unit": "tokens", "min": 65_536, "factor": 2, "rungs": 3, "reports_per_rung": 2},
        resources={"max_concurrent": 2},
        search={"trials_per_architecture": 4, "sampler": "random"},
        limits={"attempts": 1},
    )
    killed = None
    with subprocess.Popen(
        [sys.executable, "-m", "picosweep.cli", "run", spec, "--results", "results"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"RAY_ADDRESS": two_nodes.address, "RAY_AUTH_MODE": "token"},
    ) as driver:
        assert driver.stdout is not None
        end = time.monotonic() + 120
        while driver.poll() is None and killed is None and time.monotonic() < end:
            if len(two_nodes.actors()) == 2 and _num_reports(tmp_path) >= 2:
                killed = two_nodes.raylets[1]
                two_nodes.kill(killed)
            time.sleep(0.05)
        output = driver.stdout.read()
    assert killed is not None, "no trial came to the second node\n" + output
    assert driver.returncode == 0, output
    assert "its node left the cluster" in output
    assert "raylet" not in output
    trials = check_whole(tmp_path / "results" / "small", 8)
    assert trials["num_attempts"].max() == 2


def _num_reports(folder: Path) -> int:
    journals = (folder / "results" / "small" / "journal").glob("*.jsonl")
    return sum(path.read_text().count('["reports"') for path in journals)


def test_trials_share_a_gpu(tmp_path: Path) -> None:
    """`gpu: 0.5` puts two trials on one GPU (which Ray believes the node to have)."""
    nodes = Nodes({"num_cpus": 2, "num_gpus": 1})
    try:
        spec = write_sweep(
            tmp_path,
            search={"trials_per_architecture": 2, "sampler": "random"},
            resources={"cpu": 0.5, "gpu": 0.5},
        )
        picosweep(
            *("run", spec, "--results", "results"),
            cwd=tmp_path,
            RAY_ADDRESS=nodes.address,
            RAY_AUTH_MODE="token",
        )
    finally:
        nodes.stop()
    check_whole(tmp_path / "results" / "small", 4)
    (log,) = (tmp_path / "results" / "small" / "logs").glob("*.log")
    assert "training begins in 2 slots" in log.read_text()


@pytest.mark.parametrize(
    ("available", "wanted", "slots"),
    [
        ({"CPU": 4}, {"cpu": 1}, 4),
        ({"CPU": 1}, {"cpu": 0.1}, 10),
        ({"CPU": 3}, {"cpu": 2}, 1),
        ({"CPU": 4}, {"cpu": 1, "gpu": 1}, 0),
        ({"CPU": 16, "GPU": 2}, {"cpu": 1, "gpu": 0.4}, 4),
        ({"CPU": 16, "GPU": 2}, {"cpu": 1, "gpu": 0.25}, 8),
        ({"CPU": 4, "GPU": 2}, {"cpu": 1, "gpu": 0.25}, 4),
        ({"CPU": 4, "GPU": 3}, {"cpu": 1, "gpu": 2}, 1),
    ],
)
def test_slots_of_a_node(available: dict[str, float], wanted: dict[str, Any], slots: int) -> None:
    """A trial needs all of its share on one node and of one GPU."""
    assert slots_of(available, Resources(**wanted)) == slots
