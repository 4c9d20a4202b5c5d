"""Starting Ray before anything slow is imported, where a sweep is certain to need it."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Final

NEEDED: Final = ("name", "data", "budget", "architectures")


def start_ray_early(spec: Path, results: Path) -> None:
    """Begin to start Ray if a glance at the spec says that trials will be trained.

    Torch takes a second to import, which Ray's processes need as well, on another core. Where the
    glance was wrong, the sweep ends with its message, and `stop_ray_started_early` has to follow.

    Args:
        spec: a YAML file.
        results: the folder in which sweeps land.
    """
    with contextlib.suppress(Exception):  # what is wrong with the spec is said by who reads it
        resources = _resources_of(spec, results)
        if resources is not None:
            from picosweep.sweeps.workers.connection import connect_early  # noqa: PLC0415

            connect_early(resources)


def stop_ray_started_early() -> None:
    """Stop a Ray that was begun and that no sweep has taken up; wait for it where it has to be."""
    connection = sys.modules.get("picosweep.sweeps.workers.connection")
    if connection is not None:
        with contextlib.suppress(Exception):  # whatever it was: the sweep's own message was told
            connection.stop_early()


def _resources_of(spec: Path, results: Path) -> Any:
    """Return what a trial occupies; None where none is certain to be trained on this machine."""
    import yaml  # noqa: PLC0415

    from picosweep.sweeps.spec.schema import Resources  # noqa: PLC0415
    from picosweep.sweeps.workers.connection import LOCAL  # noqa: PLC0415

    if os.environ.get("RAY_ADDRESS", "") not in LOCAL or ":/" in str(results):
        return None
    content = yaml.safe_load(spec.read_text(encoding="utf-8"))
    if not all(content.get(key) for key in NEEDED) or (results / content["name"]).exists():
        return None
    source = content["data"]["source"]
    if isinstance(source, str) and "/" in source and not Path(source).expanduser().exists():
        return None
    return Resources(**content.get("resources", {}))
