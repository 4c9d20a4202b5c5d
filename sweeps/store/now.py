"""What a running driver last said of itself, for other terminals."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder, read_json


def write_now(folder: Path, now: Mapping[str, Any]) -> None:
    """Say how far a sweep is.

    Args:
        folder: the sweep's folder.
        now: `slots`, `running` (trial ids), `num_waiting`.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(SweepFolder(folder).now, json.dumps(now).encode())


def read_now(folder: Path) -> dict[str, Any] | None:
    """Return what `write_now` wrote last; None where there is nothing to be read."""
    found: dict[str, Any] | None = read_json(SweepFolder(folder).now)
    return found
