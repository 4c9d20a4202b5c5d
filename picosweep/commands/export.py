"""A sweep in the formats of other tools: `picosweep export SWEEP --to …`, offline."""

import shutil
from pathlib import Path

from picosweep.commands.output import written_to
from picosweep.exports.registry import find_exporter
from picosweep.exports.rows import read_sweep
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.mirror import open_results


def export(
    sweep: str, *, to: str, output: str | Path | None = None, results: str | Path = "results"
) -> Path:
    """Write a sweep in the format of another tool.

    Args:
        sweep: name of the sweep, or its folder.
        to: one of `picosweep.exports.registry.FORMATS`.
        output: an empty folder, or one to be made; None: `export/<format>` in the sweep's folder,
            where an earlier export is replaced.
        results: folder or address in which the sweeps are.

    Returns:
        folder of the export.

    Raises:
        InputError: there is no such sweep or format, its library is not installed, or `output` is
            not empty or cannot be written.
    """
    exporter = find_exporter(to)
    folder = find_sweep(sweep, open_results(results))
    rows = read_sweep(folder)
    if output is None:
        target = SweepFolder(folder).export(to)
        shutil.rmtree(target, ignore_errors=True)
    else:
        target = Path(output).expanduser()
        _check_empty(target)
    with written_to(output):
        target.mkdir(parents=True, exist_ok=True)  # one that is there may be a mount point
        exporter(rows, target.absolute())
    return target


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise input_error("this folder is not empty", key="--output", found=str(folder))
    if folder.exists() and not folder.is_dir():
        raise input_error("this is no folder", key="--output", found=str(folder))
