"""`picosweep cluster-config`: files for `ray up`, from a checkout and from a wheel."""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from picosweep.start.cluster_file import cluster_config, cluster_kinds
from picosweep.sweeps.errors import InputError
from tests.hosts.hosts import ROOT
from tests.installed import cluster_config_of, lay_out_installed

KINDS = ("local", "aws", "gcp", "kuberay")


def _read(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out_installed(tmp_path_factory.mktemp("installed") / "site packages")


def test_a_checkout_is_named_by_its_whole_path() -> None:
    """So that the file works from every folder."""
    for kind in ("local", "aws", "gcp"):
        given = _read(cluster_config(kind))
        shipped = _read((cluster_kinds()[kind]).read_text())
        assert given.keys() == shipped.keys()
        for target, source in given.pop("file_mounts").items():
            assert source == str(ROOT / shipped["file_mounts"][target])
            assert Path(source).exists()
        del shipped["file_mounts"]
        assert given == shipped


@pytest.mark.parametrize("kind", KINDS)
def test_an_installation_needs_no_checkout(installed: Path, kind: str) -> None:
    """Nothing in the file speaks of one, and what is copied is there."""
    text = cluster_config_of(installed, kind)
    for word in ("checkout:", "sweeps/clusters", "../", "constraints", "source/", str(ROOT)):
        assert word not in text, word
    content = _read(text)
    if kind == "kuberay":
        assert content == _read(cluster_kinds()[kind].read_text())
        assert "pip install picosweep==" in text
        return
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(content))
    mounts = [Path(source) for source in content["file_mounts"].values()]
    assert [path.parent for path in mounts] == [installed, installed]
    assert all(path.is_dir() for path in mounts)
    shipped = _read(cluster_kinds()[kind].read_text())
    for key in shipped.keys() - {"file_mounts", "setup_commands"}:
        assert content[key] == shipped[key], key


def test_its_commands_install_it(installed: Path, tmp_path: Path) -> None:
    """Run in a home of their own, where what it needs is found and nothing is downloaded."""
    content = _read(cluster_config_of(installed))
    environment = os.environ | {"HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    environment.pop("PYTHONPATH", None)

    def call(command: str) -> str:
        ran = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    call(f"{sys.executable} -m venv --without-pip ~/picosweep/venv")
    packages = shlex.quote(sysconfig.get_path("purelib"))
    call(f"echo {packages} > $(echo ~/picosweep/venv/lib/python*/site-packages)/the-rest.pth")
    # What an earlier `ray up` from a checkout left.
    call("mkdir $(echo ~/picosweep/venv/lib/python*/site-packages)/picosweep")
    for target, source in content["file_mounts"].items():
        call(f"mkdir -p ~/picosweep/installed && cp -r {shlex.quote(source)} {target}")
    for command in content["setup_commands"]:
        call(command)
    assert call("~/picosweep/venv/bin/picosweep --version").startswith("picosweep 0.")
    where = call("~/picosweep/venv/bin/python -P -c 'import picosweep as p; print(p.__file__)'")
    assert Path(where.strip()) == tmp_path / "picosweep/installed/picosweep/__init__.py"
    install = next(c for c in content["setup_commands"] if " pip install" in c).split()
    pinned = [Requirement(name) for name in install[install.index("picosweep") + 1 :]]
    assert {"ray", "torch", "polars"} <= {one.name for one in pinned}
    assert all(str(one.specifier).startswith("==") for one in pinned)
    changed = install[install.index("picosweep") :]
    changed[-1] = "typer==0.1"
    with pytest.raises(AssertionError, match=r"typer==0\.1"):  # pip does look
        call(f"~/picosweep/venv/bin/python -m pip install -q {' '.join(map(shlex.quote, changed))}")


def test_other_kinds_are_answered() -> None:
    with pytest.raises(InputError, match="no such kind of cluster") as raised:
        cluster_config("asw")
    assert raised.value.problems[0].hint == "did you mean aws?"
