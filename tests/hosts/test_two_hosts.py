"""A cluster file for real: two hosts with their own sshd, brought up, used, hurt and taken down."""

import dataclasses
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.hosts import ROOT, Host, Hosts, why_not
from tests.installed import cluster_config_of, lay_out_installed
from tests.small_sweep import SPEC, check_whole, picosweep, write_sweep

REASON = why_not()
pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.timeout(900),
]
HEAD_PYTHON = "~/picosweep/venv/bin/python"


@dataclasses.dataclass
class OurCluster:
    """The cluster, and the machine from which it is used."""

    hosts: Hosts
    folder: Path
    environment: dict[str, str]

    @property
    def head(self) -> Host:
        return self.hosts.hosts[0]

    @property
    def worker(self) -> Host:
        return self.hosts.hosts[1]

    def ray(self, *arguments: str) -> str:
        """Ray's launcher, as a user calls it in the checkout."""
        command = [f"{sys.prefix}/bin/ray", *arguments, "-y", str(self.folder / "cluster.yaml")]
        result = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def picosweep(self, *arguments: str | Path, expect: int = 0) -> str:
        return picosweep(*arguments, cwd=self.folder, expect=expect, **self.environment)

    def nodes(self) -> list[str]:
        """The hosts that Ray knows, asked on the head."""
        code = (
            "from picosweep.sweeps.workers.nodes import list_nodes; "
            "print(*(node['host'] for node in list_nodes('auto')))"
        )
        command = f'RAY_AUTH_MODE=token {HEAD_PYTHON} -c "{code}"'
        return self.hosts.ssh(self.head, command).split()


def _cluster_file(hosts: Hosts, folder: Path) -> dict[str, Any]:
    """What `cluster-config` says to an installation, for these hosts; nothing is downloaded."""
    installed = lay_out_installed(folder / "site-packages")
    config: dict[str, Any] = yaml.safe_load(cluster_config_of(installed))
    head, *workers = (host.address for host in hosts.hosts)
    config["provider"] |= {"head_ip": head, "worker_ips": workers}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
    assert "venv" in config["setup_commands"][0]
    packages = sysconfig.get_path("purelib")
    main = "#!/srv/picosweep/venv/bin/python\\nfrom ray.scripts.scripts import main\\nmain()\\n"
    # To pip, all that it is asked for is there already: found after the package's own folder.
    config["setup_commands"][:1] = [
        f"{sys.executable} -m venv --without-pip ~/picosweep/venv",
        f"echo {packages} > $(echo ~/picosweep/venv/lib/python*/site-packages)/the-rest.pth",
        f"printf '{main}' > ~/picosweep/venv/bin/ray && chmod +x ~/picosweep/venv/bin/ray",
    ]
    return config


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurCluster]:
    """Two hosts on which `ray up` has been called."""
    folder = tmp_path_factory.mktemp("cluster")
    with Hosts(2, folder / "hosts") as hosts:
        config = _cluster_file(hosts, folder)
        (folder / "cluster.yaml").write_text(yaml.safe_dump(config, width=1000))
        temporary = {name: str(folder / "tmp") for name in ("TMPDIR", "RAY_TMPDIR")}
        (folder / "tmp").mkdir()
        made = OurCluster(hosts, folder, temporary | {"PYTHONPATH": f"{folder}:{ROOT}"})
        shutil.copy(ROOT / "tests/sweeps/my_model.py", folder)
        said = made.picosweep("submit", _spec(folder), expect=2)
        assert "is not up" in said
        assert "ray up cluster.yaml" in said
        made.ray("up")
        try:
            _wait(lambda: len(made.nodes()) == 2, 90)
            yield made
        finally:
            made.ray("down")
            left = hosts.ssh(made.head, "ps -eo args")
            assert "raylet" not in left


def _spec(folder: Path) -> Path:
    mine = {"model": "my_model:Bigram", "width": [4, 8]}
    return write_sweep(
        folder,
        budget={"unit": "tokens", "min": 393_216, "factor": 2, "rungs": 3, "reports_per_rung": 2},
        search={"trials_per_architecture": 3, "sampler": "random"},
        # A host's first report is followed by others: it is killed in the midst of a trial.
        early_stopping={"scheduler": "none"},
        architectures={"kgram": SPEC["architectures"]["kgram"], "mine": mine},
        resources={"cpu": os.cpu_count()},
        limits={"attempts": 1},
    )


def _check_doors(cluster: OurCluster) -> None:
    """Without the token no entry, and the dashboard on no address of the network."""
    code = "import picosweep.sweeps.workers.nodes as n; print(len(n.list_nodes('auto')))"
    said = cluster.hosts.ssh(
        cluster.head,
        f'RAY_AUTH_MODE=token RAY_AUTH_TOKEN=guessed {HEAD_PYTHON} -c "{code}" 2>&1 || true',
    )
    assert "Authentication token is missing or incorrect" in said
    assert "no Ray cluster answers us" in said
    listening = cluster.hosts.ssh(cluster.head, "ss -tlnH").splitlines()
    open_ports = [line.split()[3] for line in listening if not line.split()[3].startswith("127.")]
    assert not any(address.endswith((":8265", ":10001")) for address in open_ports)


def test_a_sweep_outlives_a_host(cluster: OurCluster, tmp_path: Path) -> None:
    """Both hosts train, one is killed, no stranger comes in; all results come home."""
    spec = _spec(cluster.folder)
    tokens = [cluster.hosts.ssh(host, "cat ~/.ray/auth_token") for host in cluster.hosts.hosts]
    assert tokens[0] == tokens[1] != ""
    assert cluster.hosts.ssh(cluster.head, "stat -c %a ~/.ray/auth_token").strip() == "600"
    assert cluster.picosweep("submit", spec).startswith("2 nodes: ")
    assert "is being run by" in cluster.picosweep("submit", spec, expect=2)
    assert "run by process" in cluster.picosweep("status", "--address", "cluster.yaml")
    results = cluster.head.home / "picosweep/results/small"
    ended_there = f'"node":"{cluster.worker.name}"'
    _wait(lambda: ended_there in _journal(results), 240)
    exit_code = cluster.head.home / "picosweep/sweeps/small/exit_code"
    assert not exit_code.exists(), "it ended before the host could be killed"
    cluster.worker.kill()
    _check_doors(cluster)
    _wait(exit_code.exists, 500)
    logs = cluster.picosweep("logs", "small", "--address", "cluster.yaml")
    assert exit_code.read_text() == "0\n", logs
    assert "its node left the cluster" in logs
    home = cluster.folder / "results"
    for _ in range(2):  # a second time there is nothing new
        assert str(home / "small") in cluster.picosweep("fetch", "small", "--results", home)
    trials = check_whole(home / "small", 6)
    assert set(trials["node"]) == {host.name for host in cluster.hosts.hosts}
    assert trials["num_attempts"].max() == 2
    other = tmp_path / "small"
    shutil.copytree(home / "small", other)
    journal = other / "journal/000000.jsonl"
    journal.write_text(journal.read_text().replace("small", "other"))
    assert "another sweep" in cluster.picosweep("fetch", "small", "--results", tmp_path, expect=2)


def _journal(folder: Path) -> str:
    return "".join(path.read_text() for path in (folder / "journal").glob("*.jsonl"))
