"""What `picosweep report` does: a page, images, a summary for scripts, once or again and again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosweep.analysis.images import write_images
from picosweep.analysis.page.style import Mode
from picosweep.analysis.plain_summary import summary
from picosweep.analysis.report import make_sections, write_report
from picosweep.analysis.results import ResultsError, load
from picosweep.analysis.watching import watch
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.lock import running_driver


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a report left behind."""

    report: Path
    images: tuple[Path, ...]
    summary: dict[str, Any]
    """See `analysis.summary`."""


def write(
    names: Sequence[str],
    results: Path,
    output: Path | None,
    *,
    compare: bool = False,
    images: Path | None = None,
    mode: Mode = "light",
) -> Written:
    """Write the page of one sweep or several, and every chart as a file where asked for.

    Args:
        names: Sweeps' names or folders.
        results: The folder in which named sweeps lie.
        output: The page; `report.html` in the first sweep's folder when null.
        compare: Whether two sweeps are to be read as before and after.
        images: Where the charts go; none are drawn when null.
        mode: The images' theme.

    Raises:
        InputError: There is no such sweep, it has no trials yet, or there are not two to compare.
    """
    folders = [find_sweep(name, results) for name in names]
    try:
        known = load(folders, compare=compare)
    except ResultsError as error:
        raise input_error(str(error)) from error
    sections = make_sections(known)
    page = write_report(known, output or SweepFolder(folders[0]).report, sections=sections)
    drawn = write_images(known, images, mode=mode, sections=sections) if images else []
    return Written(report=page, images=tuple(drawn), summary=summary(known))


def keep_fresh(
    names: Sequence[str],
    results: Path,
    output: Path | None,
    *,
    compare: bool = False,
    seconds: float = 10.0,
    written: Callable[[Path], None] = lambda _: None,
) -> None:
    """Rewrite the page while the sweeps run, until their driver has come and gone.

    A sweep that has not begun is waited for, so this may be started before it.

    Args:
        names: Sweeps' names or folders.
        results: The folder in which named sweeps lie.
        output: The page; `report.html` in the first sweep's folder when null.
        compare: Whether two sweeps are to be read as before and after.
        seconds: Pause between two looks.
        written: Told of each new page.

    Raises:
        InputError: There are not two sweeps to compare.
    """
    if compare and len(names) != 2:
        raise input_error("a comparison is of two sweeps", found=str(len(names)))
    folders = [_folder(name, results) for name in names]
    has_run = False

    def ended() -> bool:
        nonlocal has_run
        running = any(running_driver(folder) for folder in folders)
        over = has_run and not running
        has_run = has_run or running
        return over

    watch(
        folders,
        output or SweepFolder(folders[0]).report,
        seconds=seconds,
        compare=compare,
        until=ended,
        written=written,
    )


def _folder(name: str, results: Path) -> Path:
    """A sweep's folder, whether it exists or will."""
    return Path(name) if SweepFolder(Path(name)).is_sweep else results / name
