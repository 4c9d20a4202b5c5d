"""What `picosweep report` does: a page, images, a summary for scripts, once or again and again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosweep.analysis.images import write_images
from picosweep.analysis.page.style import Mode
from picosweep.analysis.report import make_sections, write_report
from picosweep.analysis.results import ResultsError, load
from picosweep.analysis.summary import summary
from picosweep.analysis.watch import watch
from picosweep.commands.output import written_to
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.store.mirror import open_results


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a report wrote."""

    report: Path
    images: tuple[Path, ...]
    summary: dict[str, Any]
    """What `analysis.summary` returns."""


def report(
    *sweeps: str,
    output: str | Path | None = None,
    compare: bool = False,
    images: str | Path | None = None,
    mode: Mode = "light",
    results: str | Path = "results",
) -> Written:
    """Write the page of one sweep or several, and every chart as a file where asked for.

    Args:
        sweeps: names or folders of the sweeps.
        output: path of the page, or a folder for it; None: the first sweep's folder.
        compare: whether two sweeps are to be read as before and after.
        images: folder for the charts; None: none are drawn.
        mode: theme of the images, `light` or `dark`.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such sweep, it has no trials yet, there are not two to compare, or
            the page or an image cannot be written.
    """
    local = open_results(results)
    folders = [find_sweep(name, local) for name in sweeps]
    try:
        known = load(folders, compare=compare)
    except ResultsError as error:
        raise input_error(str(error)) from error
    sections = make_sections(known)
    with written_to(output):
        page = write_report(known, _page(output, folders), sections=sections)
    drawn: list[Path] = []
    if images:
        with written_to(images):
            folder = Path(images).expanduser()
            drawn = write_images(known, folder, mode=mode, sections=sections)
    return Written(report=page, images=tuple(drawn), summary=summary(known))


def watch_report(
    *sweeps: str,
    output: str | Path | None = None,
    compare: bool = False,
    seconds: float = 10.0,
    written: Callable[[Path], None] = lambda _: None,
    results: str | Path = "results",
) -> None:
    """Rewrite the page while the sweeps run, until their driver has come and gone.

    A sweep that has not begun is waited for, so this may be started before it.

    Args:
        sweeps: names or folders of the sweeps.
        output: path of the page, or a folder for it; None: the first sweep's folder.
        compare: whether two sweeps are to be read as before and after.
        seconds: pause between two looks, in seconds.
        written: called with the path of the page whenever it was written.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there are not two sweeps to compare.
    """
    if compare and len(sweeps) != 2:
        raise input_error("a comparison is of two sweeps", found=str(len(sweeps)))
    local = open_results(results)
    folders = [_folder(name, local) for name in sweeps]
    has_run = False

    def ended() -> bool:
        nonlocal has_run
        running = any(running_driver(folder) for folder in folders)
        over = has_run and not running
        has_run = has_run or running
        return over

    watch(
        folders,
        _page(output, folders),
        seconds=seconds,
        compare=compare,
        until=ended,
        written=written,
    )


def _page(output: str | Path | None, folders: Sequence[Path]) -> Path:
    """Return where the page goes; in a folder it is called as it is in a sweep's."""
    if output is None:
        return SweepFolder(folders[0]).report
    path = Path(output).expanduser()
    return SweepFolder(path).report if path.is_dir() else path


def _folder(name: str, results: Path) -> Path:
    """Return a sweep's folder, which need not exist yet."""
    return Path(name) if SweepFolder(Path(name)).is_sweep else results / name
