"""A report that is rewritten while its sweep runs."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from picosweep.analysis.report import write_report
from picosweep.analysis.results import ResultsError, load

_log = logging.getLogger(__name__)

Signature = frozenset[tuple[str, int, int]]


def watch(
    results_folders: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    seconds: float = 10.0,
    compare: bool = False,
    until: Callable[[], bool] = lambda: False,
    written: Callable[[Path], None] = lambda _: None,
) -> None:
    """Rewrite the report whenever the tables have changed, until `until` returns true.

    The page reloads itself at the same pace, keeping its place, while a trial is still running. A
    folder that has no trials yet is waited for.

    Args:
        results_folders: one sweep's folder, or several.
        output: path of the HTML file.
        seconds: pause between two checks of the tables, and between two reloads of the page.
        compare: whether two sweeps are to be read as before and after.
        until: called after each check; true ends the watch.
        written: called with the path after each new report.
    """
    several = (
        [results_folders] if isinstance(results_folders, str | Path) else list(results_folders)
    )
    folders = [Path(folder) for folder in several]
    seen: Signature = frozenset()
    while True:
        now = signature(folders)
        if now != seen:
            try:
                results = load(folders, compare=compare)
                written(write_report(results, output, refresh_seconds=seconds))
                seen = now
            except ResultsError as error:
                _log.info("waiting: %s", error)
        if until():
            return
        time.sleep(seconds)


def signature(folders: Sequence[Path]) -> Signature:
    """Return names, sizes and times of all table files: equal signatures, equal tables."""
    found = set()
    for folder in folders:
        for file in folder.glob("*/*.parquet"):
            try:
                status = file.stat()
            except FileNotFoundError:
                continue  # replaced after it was listed
            found.add((str(file), status.st_size, status.st_mtime_ns))
    return frozenset(found)
