"""Requests to a running sweep from another terminal: a file that its driver looks for.

A request is an empty file in the sweep's `requests` folder; the driver looks there once a second.
That works across machines that share the results, where a signal does not.
"""

from pathlib import Path
from typing import Final

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder

WHOLE_SWEEP: Final = "sweep"


def take_requests(folder: Path) -> list[str]:
    """Remove and return the requests so far: ids of trials to stop, or `WHOLE_SWEEP`."""
    left = SweepFolder(folder).requests.glob("*")
    asked = sorted(path for path in left if not path.name.startswith("."))
    for path in asked:
        path.unlink(missing_ok=True)
    return [path.name for path in asked]


def ask_for(folder: Path, request: str) -> None:
    """Leave a request: the id of a trial to stop, or `WHOLE_SWEEP`."""
    replace_file(SweepFolder(folder).requests / request, b"")
