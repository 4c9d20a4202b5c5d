"""A sweep in the formats of other tools: `picosweep export SWEEP --to …`, offline."""

import importlib
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.journal import Row
from picosweep.sweeps.store.reader import read_journal


@dataclass(frozen=True, kw_only=True)
class SweepRows:
    """What exporters read: a sweep's rows, times in microseconds since the epoch."""

    name: str
    spec: Mapping[str, Any]
    trials: list[Row]
    reports: Mapping[str, list[Row]]
    """By trial, in the order of training."""
    decisions: Mapping[str, list[Row]]

    def settings(self, trial: Row) -> dict[str, Any]:
        """Every hyperparameter of a trial, with what it belongs to."""
        config = json.loads(trial["config"])
        told: dict[str, Any] = {"architecture": trial["architecture"], "cohort": trial["cohort"]}
        told |= {"seed": trial["seed"]} | config["model"] | config["training"]
        return told


Exporter = Callable[[SweepRows, Path], None]

FORMATS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "csv": ("export_csv", ()),
    "tensorboard": ("export_tensorboard", ("tensorboardX",)),
    "mlflow": ("export_mlflow", ("mlflow",)),
    "optuna": ("export_optuna", ("optuna",)),
    "wandb": ("export_wandb", ("wandb",)),
}
"""The functions of `picosweep.exports.formats` by format, and the libraries that each needs."""
PACKAGES: Final[Mapping[str, str]] = {"mlflow": "mlflow-skinny"}


def read_sweep(folder: Path) -> SweepRows:
    """A sweep's rows from its journal, so that a running sweep can be exported too.

    Raises:
        InputError: the folder holds no journal.
    """
    tables = read_journal(folder)
    if not tables["trials"]:
        raise input_error("this sweep has no trials yet", where=str(folder))
    grouped: dict[str, dict[str, list[Row]]] = {}
    for table, place in (("reports", "step"), ("decisions", "rung")):
        grouped[table] = defaultdict(list)
        for row in sorted(tables.get(table, ()), key=lambda row: row[place]):
            grouped[table][row["trial_id"]].append(row)
    try:
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise input_error("cannot be read", where=str(folder / "spec.json")) from error
    return SweepRows(name=folder.name, spec=spec, trials=tables["trials"], **grouped)


def export(sweep: str, results: Path, to: str, output: Path | None = None) -> Path:
    """Write a sweep in the format of another tool; an earlier export there is replaced.

    Args:
        sweep: its name, or its folder.
        results: where sweeps land.
        to: one of `FORMATS`.
        output: a folder of its own; by default `export/<format>` in the sweep's folder.

    Returns:
        Where it lies.

    Raises:
        InputError: there is no such sweep or format, or its library is not installed.
    """
    if to not in FORMATS:
        raise input_error("unknown format", key="--to", found=to, allowed=", ".join(FORMATS))
    folder = find_sweep(sweep, results)
    function, libraries = FORMATS[to]
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError as error:
            package = PACKAGES.get(library, library)
            raise input_error(
                f"the library {package} is not installed",
                key="--to",
                found=to,
                hint=f"pip install {package}, or picosweep[export] for all formats",
            ) from error
    rows = read_sweep(folder)
    target = output or folder / "export" / to
    if output is not None and target.exists() and any(target.iterdir()):
        raise input_error("this folder is not empty", key="--output", found=str(target))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    exporter: Exporter = getattr(importlib.import_module("picosweep.exports.formats"), function)
    exporter(rows, target.absolute())
    return target
