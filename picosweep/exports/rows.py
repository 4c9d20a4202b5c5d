"""A sweep's rows as exporters read them."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.reader import read_journal
from picosweep.sweeps.store.tables import SET_BY_DRIVER, Row

OF_DATA: Final = ("block_size", "vocab_size")
"""Hyperparameters that are of the data."""


@dataclass(frozen=True, kw_only=True)
class SweepRows:
    """What exporters read: a sweep's rows, times in microseconds since the epoch."""

    folder: Path
    """The sweep's folder."""
    trials: list[Row]
    reports: Mapping[str, list[Row]]
    """Reports by trial, in the order of training."""
    decisions: Mapping[str, list[Row]]
    samples: Mapping[str, list[Row]]
    """What trials wrote, by trial."""

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.folder.name

    def settings(self, trial: Row) -> dict[str, Any]:
        """Return a trial's architecture, cohort, seed and all settings."""
        config = json.loads(trial["config"])
        told: dict[str, Any] = {"architecture": trial["architecture"], "cohort": trial["cohort"]}
        told |= {"seed": trial["seed"]} | config["model"] | config["training"]
        told |= config.get("preference") or {}
        return told | {name: trial[name] for name in OF_DATA if trial.get(name) is not None}


def read_sweep(folder: Path) -> SweepRows:
    """Read a sweep's rows from its journal, so that a running sweep can be exported too.

    Raises:
        InputError: the journal holds no trial, or there is none.
    """
    tables = read_journal(folder)
    if not tables["trials"]:
        raise input_error("this sweep has no trials yet", where=str(folder))
    grouped: dict[str, dict[str, list[Row]]] = {}
    for table, place in (("reports", "step"), ("decisions", "rung"), ("samples", "step")):
        grouped[table] = defaultdict(list)
        for row in sorted(tables.get(table, ()), key=lambda row: row[place]):
            grouped[table][row["trial_id"]].append(row)
    return SweepRows(folder=folder, trials=tables["trials"], **grouped)


def time_of(microseconds: int) -> datetime:
    """Return a row's time in the local time zone, without naming it, as other tools keep times."""
    return datetime.fromtimestamp(microseconds / 1e6)


def metrics_of(report: Row) -> dict[str, float]:
    """Return a report's numbers; what was not measured is left out, NaN stays."""
    return {
        name: float(value)
        for name, value in report.items()
        if name not in SET_BY_DRIVER and name != "step" and isinstance(value, int | float)
    }
