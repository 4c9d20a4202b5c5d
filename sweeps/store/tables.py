"""The result tables: their schemas and keys, derived from the columns.

The writer (`sweeps.store.store`) and the reader (`analysis.results`) both import this module, so a
column cannot mean two things. It imports neither Ray nor Torch: a report can be built where neither
is installed.

A sweep's folder holds `<table>/part-*.parquet`; any Parquet reader can open them. The `trials`
table has fixed columns and, after them, one typed column for each hyperparameter of the sweep (null
where an architecture has none).
"""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from picosweep.sweeps.store.columns import ALL, COLUMNS, Column

Row = dict[str, Any]
"""A row of a table, by column name."""

TABLE_VERSION: Final = 1
"""Raised whenever a column changes its meaning; stored in each Parquet file's metadata."""

STATUSES: Final = tuple(ALL["status"].values)
TERMINAL_STATUSES: Final = tuple(status for status in STATUSES if status != "running")
INCIDENT_KINDS: Final = tuple(ALL["kind"].values)

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "trials": ("trial_id",),
    "reports": ("trial_id", "step"),
    "decisions": ("trial_id", "rung"),
    "samples": ("trial_id", "step", "decoder", "prompt"),
    "incidents": ("time", "trial_id", "kind"),
}
"""Columns that identify a row of each table."""


def _schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([(column.name, column.type) for column in columns])


TRIALS: Final = _schema(COLUMNS["trials"])
REPORTS: Final = _schema(COLUMNS["reports"])

TABLES: Final[Mapping[str, pa.Schema]] = {
    "trials": TRIALS,
    "reports": REPORTS,
    "decisions": _schema(COLUMNS["decisions"]),
    "samples": _schema(COLUMNS["samples"]),
    "incidents": _schema(COLUMNS["incidents"]),
}

FIXED_TRIAL_COLUMNS: Final = frozenset(TRIALS.names)
"""Every other column of a `trials` table is a hyperparameter."""

SET_BY_DRIVER: Final = frozenset(c.name for c in COLUMNS["reports"] if c.by_driver)
"""Columns of `reports` that training does not measure."""

FROM_REPORT: Final = tuple(
    name for name in TRIALS.names if name in REPORTS.names and name not in SET_BY_DRIVER
)
"""Columns of a trial's row that repeat its last report."""

OF_MACHINE: Final = frozenset(c.name for c in COLUMNS["reports"] if c.of_machine)
"""Columns of `reports` in which a replay may differ."""

PER_TOKEN: Final = frozenset(name for name, column in ALL.items() if column.per_token)
"""Columns that mean another thing under another tokenizer."""

OBJECTIVES: Final = tuple(
    column.name
    for column in sorted(COLUMNS["trials"], key=lambda c: (c.of_machine, c.before_training))
    if column.goal is not None
)
"""Columns of `trials` that a sweep can search for, those of quality first."""

KNOWN_BEFORE_TRAINING: Final = frozenset(n for n, column in ALL.items() if column.before_training)
"""Objectives by which no trial can be stopped early."""
