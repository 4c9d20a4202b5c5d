"""Slots and trials of a running driver, for other terminals."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder, read_json


def write_now(folder: Path, now: Mapping[str, Any]) -> None:
    """Write what a driver is doing now.

    Args:
        folder: the sweep's folder.
        now: `slots`, `running` (trial ids), `num_waiting`.

    Raises:
        OSError: the file cannot be written; the old one stays.
    """
    replace_file(SweepFolder(folder).now, json.dumps(now).encode())


def read_now(folder: Path) -> dict[str, Any] | None:
    """Return what `write_now` wrote last; None where the file is missing or damaged."""
    found: dict[str, Any] | None = read_json(SweepFolder(folder).now)
    return found
