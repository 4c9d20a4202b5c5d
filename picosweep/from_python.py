"""Running a sweep from Python; in a notebook the cell shows how far it is."""

import logging
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from picosweep.commands.observer import Observer
    from picosweep.commands.result import SweepResult


def run(
    spec: str | Path | Mapping[str, Any],
    *,
    results: str | Path = "results",
    retry_failed: bool = False,
    observer: "Observer | None" = None,
    seconds_before: float = 0.0,
) -> "SweepResult":
    """Run a sweep, or what is left of it, and write its report.

    Args:
        spec: path of a YAML file, or the content of one.
        results: folder in which each sweep has a folder, or `s3://bucket/folder`.
        retry_failed: whether trials that failed in an earlier run are tried again.
        observer: object that is called with how far the sweep is. None: in a notebook the cell
            shows it, elsewhere nothing does; `Observer()` for silence in a notebook, too.
        seconds_before: time that was spent before this call, to be counted as the sweep's.

    Returns:
        what was done, and where the results are.

    Raises:
        InputError: the spec, the data or the results folder cannot be used.
    """
    view = None
    if observer is None and in_notebook():
        _silence_widgets()
        from picosweep.terminal.notebook import NotebookView  # noqa: PLC0415 - after that

        view = NotebookView()
    from picosweep.commands.run import run as run_sweep  # noqa: PLC0415 - imports Ray and Torch

    result = run_sweep(
        spec,
        results=results,
        retry_failed=retry_failed,
        observer=view or observer,
        seconds_before=seconds_before,
    )
    if view is not None:
        view.say(repr(result).partition("\n")[0])
    return result


def in_notebook() -> bool:
    """Return whether a kernel runs this code, as in Jupyter or an editor's notebook."""
    if "IPython" not in sys.modules:  # who has not imported it is in no notebook
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


def _silence_widgets() -> None:
    """Leave out the advice to install ipywidgets, which nothing here would use."""
    warnings.filterwarnings("ignore", message="IProgress not found")
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)
