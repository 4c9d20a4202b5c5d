"""Picosweep as a wheel lays it out: real folders and metadata, no checkout beside them."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tests.hosts.hosts import ROOT


def lay_out_installed(site: Path) -> Path:
    """Put the package and its metadata into a folder, as pip does, and return the folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "picosweep", site / "picosweep", ignore=ignored)
    distribution = metadata.distribution("picosweep")
    described = site / f"picosweep-{distribution.version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    )
    (described / "RECORD").write_text(f"{described.name}/METADATA,,\n{described.name}/RECORD,,\n")
    return site


def cluster_config_of(site: Path, *arguments: str) -> str:
    """Return what `picosweep cluster-config` of that installation prints."""
    code = "from picosweep.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "cluster-config", *arguments]
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        command, env=environment, cwd=site, capture_output=True, text=True, check=True
    ).stdout
