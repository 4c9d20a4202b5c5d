"""The formats that `picosweep export --to` can name: a module for each in this package.

A module has one function, `export(rows, folder)`, which writes a sweep's rows into an empty folder
of its own. It is imported when its format is asked for: no other tool's library is needed to run a
sweep.
"""

import importlib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from picosweep.exports.rows import SweepRows
from picosweep.pico.optional_libraries import import_optional
from picosweep.sweeps.errors import input_error

Exporter = Callable[[SweepRows, Path], None]


@dataclass(frozen=True, kw_only=True)
class Format:
    """The module that writes a format, and what it needs."""

    module: str
    """Name of the module in this package."""
    library: str | None = None
    """Library that it imports beside Picosweep's own dependencies; None for none."""
    package: str | None = None
    """Name under which the library is installed, where it is another one."""
    opened_by: str = ""
    """Command that opens an export, with `{folder}` in it; empty: any program that reads it."""


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format(module="csv_files"),
    "tensorboard": Format(
        module="tensorboard_runs",
        library="tensorboardX",
        opened_by="tensorboard --logdir {folder}",
    ),
    "mlflow": Format(
        module="mlflow_runs",
        library="mlflow",
        package="mlflow-skinny",
        opened_by="mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db",
    ),
    "optuna": Format(
        module="optuna_studies",
        opened_by="optuna-dashboard sqlite:///{folder}/optuna.db",
    ),
    "wandb": Format(
        module="wandb_runs",
        library="wandb",
        opened_by="wandb sync {folder}/wandb/offline-run-*",
    ),
}


def opening_command(name: str, folder: Path) -> str:
    """Return the command that opens an export; empty where no tool of its own does."""
    return FORMATS[name].opened_by.format(folder=shlex.quote(str(folder)))


def find_exporter(name: str) -> Exporter:
    """Return the function that writes a format.

    Raises:
        InputError: there is no such format, or its library is not installed.
    """
    if name not in FORMATS:
        raise input_error("unknown format", key="--to", found=name, allowed=", ".join(FORMATS))
    found = FORMATS[name]
    if found.library is not None:
        _check_installed(name, found.library, found.package or found.library)
    module = importlib.import_module(f"picosweep.exports.{found.module}")
    exporter: Exporter = module.export
    return exporter


def _check_installed(name: str, library: str, package: str) -> None:
    try:
        import_optional(library)
    except ImportError as error:
        raise input_error(
            f"the library {package} is not installed",
            key="--to",
            found=name,
            hint=f"pip install {package}, or picosweep[export] for all formats",
        ) from error
