"""The cluster files that are shipped, for a cluster that gets this installation."""

import json
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.version import Version

from picosweep.sweeps.errors import did_you_mean, input_error

_FOLDER: Final = Path(str(files("picosweep.sweeps"))) / "clusters"
_MOUNTS: Final = ("# Picosweep itself", "rsync_exclude:")
"""Where the text of what is copied to the nodes begins, and what follows it."""
_INSTALL: Final = ("  # For a GPU", "  # `ray down` calls")
"""Likewise of what installs it there."""
_SCRIPT: Final = "#!$HOME/picosweep/venv/bin/python"

_WORDS: Final = (
    ("Run everything from Picosweep's checkout:", "Run everything in the folder of this file:"),
    (
        "Run these in the folder of this file: the paths under file_mounts are relative to where "
        "you are.\n# Edit",
        "Edit",
    ),
    ("see ../../cluster.yaml", "which every connection inside the cluster must show"),
    ("sweeps/clusters/aws.yaml", "cluster.yaml"),
    ("sweeps/clusters/gcp.yaml", "cluster.yaml"),
    ("sweeps/clusters/kuberay-rayjob.yaml", "rayjob.yaml"),
)
"""What the files say of a checkout, and what is so without one."""


def cluster_kinds() -> dict[str, Path]:
    """Return the file of each kind of cluster by its name."""
    return {file.stem.partition("-")[0]: file for file in sorted(_FOLDER.glob("*.yaml"))}


def cluster_config(kind: str = "local") -> str:
    """Return a commented cluster file whose nodes get Picosweep as it is installed here.

    Args:
        kind: `local` for hosts of your own, `aws`, `gcp`, or `kuberay` for a job on Kubernetes.

    Raises:
        InputError: there is no such kind.
    """
    kinds = cluster_kinds()
    if kind not in kinds:
        raise input_error(
            "no such kind of cluster",
            found=kind,
            allowed=", ".join(kinds),
            hint=did_you_mean(kind, kinds),
        )
    text = kinds[kind].read_text(encoding="utf-8")
    package = Path(str(files("picosweep")))
    if (package / "pico").is_symlink():
        return _of_a_checkout(text, package.parent)
    return _of_an_installation(text, package)


def _of_a_checkout(text: str, root: Path) -> str:
    """Return the file with the checkout's folder in it, so that it works from every other."""
    parts = ("picosweep", "pico", "sweeps", "analysis")
    for name in (*parts, "pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        text = text.replace(f"/{name}: {name}\n", f"/{name}: {json.dumps(str(root / name))}\n")
    return text


def _of_an_installation(text: str, package: Path) -> str:
    """Return the file with the installed package and its metadata in it.

    To pip, a package beside its metadata on the path is installed: asked for it, pip gets what it
    needs. So the nodes run the same files as this machine, whether they come from an index or not.
    """
    distribution = metadata.distribution("picosweep")
    version = distribution.version
    for old, new in _WORDS:
        text = text.replace(old, new)
    ray_version = metadata.version("ray")
    text = text.replace(
        "`pip install -c constraints.txt . 'ray[default]'` in Picosweep's checkout",
        f"`pip install picosweep=={version} 'ray[default]=={ray_version}'`",
    )
    text = _set_ray(text, ray_version)
    if "file_mounts:" not in text:
        return text
    described = _folder_of_metadata(distribution)
    mounts = (
        "# Picosweep as it is installed here. Upgrade it and `ray up` again: all nodes get it.\n"
        "file_mounts:\n"
        f"  ~/picosweep/installed/picosweep: {json.dumps(str(package))}\n"
        f"  ~/picosweep/installed/picosweep.dist-info: {json.dumps(str(described))}\n"
    )
    wanted = "\n".join(f"    {name}" for name in _needed(distribution))
    install = (
        "  # A checkout that was installed here before gives way.\n"
        "  - >-\n"
        "    cd $(~/picosweep/venv/bin/python -c\n"
        "    'import sysconfig; print(sysconfig.get_path(\"purelib\"))') &&\n"
        "    rm -rf picosweep picosweep-*.dist-info &&\n"
        "    echo ~/picosweep/installed > picosweep.pth\n"
        "  # What it needs, in the versions that are installed here. For a GPU name the build of\n"
        "  # PyTorch that fits your driver.\n"
        "  - >-\n"
        "    ~/picosweep/venv/bin/python -m pip install --quiet --disable-pip-version-check"
        f" picosweep\n{wanted}\n"
        "  - >-\n"
        f"    printf '%s\\n' \"{_SCRIPT}\" 'from picosweep.cli import main' 'main()' >\n"
        "    ~/picosweep/venv/bin/picosweep && chmod +x ~/picosweep/venv/bin/picosweep\n"
    )
    return _replace_part(_replace_part(text, _MOUNTS, mounts), _INSTALL, install)


def _folder_of_metadata(distribution: metadata.Distribution) -> Path:
    for file in distribution.files or ():
        if file.name == "METADATA":
            return Path(str(distribution.locate_file(file))).parent
    raise input_error(
        "this installation of Picosweep has no list of its files, so the nodes cannot get it",
        hint="install it with pip",
    )


def _needed(distribution: metadata.Distribution) -> list[str]:
    """Return what this installation needs, each in the version that is here."""
    needed = []
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            # A build's own mark, such as PyTorch's +cpu, is no version of an index.
            version = Version(metadata.version(requirement.name)).public
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            needed.append(f"{requirement.name}{extras}=={version}")
    return sorted(needed)


def _set_ray(text: str, version: str) -> str:
    before, key, after = text.partition("rayVersion: ")
    if not key:
        return text
    return f"{before}{key}{version}     # that of this machine\n{after.partition(chr(10))[2]}"


def _replace_part(text: str, ends: tuple[str, str], new: str) -> str:
    start = text.index(ends[0])
    return text[:start] + new + text[text.index(ends[1], start) :]
