"""The result tables: their schemas and keys, derived from the columns.

The writer (`sweeps.store.store`) and the reader (`analysis.results`) both import this module, so a
column cannot mean two things. It imports neither Ray nor Torch: a report can be built where neither
is installed.

A sweep's folder holds `<table>/part-*.parquet`; any Parquet reader can open them. The `trials`
table has fixed columns and, after them, one typed column for each hyperparameter of the sweep (null
where an architecture has none). A hyperparameter whose name is taken has its architecture before
its name: `mine/device`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from picosweep.sweeps.store.columns import ALL, COLUMNS
from picosweep.sweeps.store.schema.asked import ASKED
from picosweep.sweeps.store.schema.column import Column

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
    "evaluations": ("trial_id", "step", "suite", "suite_version", "section", "item"),
    "probes_attention": ("trial_id", "step", "prompt", "layer", "head"),
    "probes_heads": ("trial_id", "step", "layer", "head"),
    "probes_components": ("trial_id", "step", "component"),
    "probes_tokens": ("trial_id", "step", "token"),
    "probes_neurons": ("trial_id", "step", "layer", "unit"),
    "incidents": ("time", "trial_id", "kind"),
}
"""Columns that identify a row of each table."""


def _schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([(column.name, column.type) for column in columns])


TRIALS: Final = _schema(COLUMNS["trials"])
REPORTS: Final = _schema(COLUMNS["reports"])

TABLES: Final[Mapping[str, pa.Schema]] = {
    name: _schema(columns) for name, columns in COLUMNS.items()
}

ASKED_TABLES: Final = tuple(ASKED)
"""Tables of what trained models are asked, where the spec asks for anything."""

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

ASKED_FOR: Final = frozenset(n for n, column in ALL.items() if column.asked)
"""Objectives that are measured only where the spec asks for a suite."""

OF_PREFERENCE: Final = frozenset(n for n, column in ALL.items() if column.of_preference)
"""Columns that only preference training measures."""

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

Declared = Iterable[tuple[str, str, pa.DataType]]
"""Hyperparameters that a spec can give rise to: architecture, name, and type where it is known."""


def whole_text(text: str) -> str:
    """Return a text that UTF-8 can hold.

    A pair of surrogates becomes the character that it stands for, half a pair U+FFFD: error
    messages and generated texts may hold either.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whole_row(row: Row) -> Row:
    """Return a row whose texts UTF-8 can hold."""
    odd = {name: text for name, text in row.items() if isinstance(text, str) and not text.isascii()}
    return row | {name: whole_text(text) for name, text in odd.items()} if odd else row


def setting_name(architecture: str, name: str) -> str:
    """Return the name under which a hyperparameter stands in a trial's row."""
    return f"{architecture}/{name}" if name in FIXED_TRIAL_COLUMNS else name


def trials_table(rows: Iterable[Row], declared: Declared) -> tuple[list[Row], pa.Schema]:
    """Return trials' rows with a typed column for each hyperparameter, and their schema.

    Every value can be written: a name with several types in several architectures or over time has
    a column of texts.

    Args:
        rows: rows as the journal holds them.
        declared: hyperparameters that get a column even where no trial has a value.
    """
    listed = list(rows)
    kinds: dict[str, pa.DataType] = {}
    wide: set[str] = set()
    for architecture, name, kind in declared:
        column = setting_name(architecture, name)
        kinds[column] = _common(kinds.get(column, kind), kind)
    for row in listed:
        for name in [name for name in row if name not in FIXED_TRIAL_COLUMNS]:
            if row[name] is not None:
                kind = _type_of(row[name])
                kinds[name] = _common(kinds.get(name, kind), kind)
                if kind == pa.int64() and abs(row[name]) > EXACT_IN_FLOAT:
                    wide.add(name)
    kinds |= {name: pa.string() for name in wide if kinds[name] == pa.float64()}
    written = [
        {name: row.get(name) for name in TABLES["trials"].names}
        | {name: _as_type(row.get(name), kind) for name, kind in kinds.items()}
        for row in listed
    ]
    extra = [pa.field(name, kind) for name, kind in kinds.items()]
    return written, pa.schema([*TABLES["trials"], *extra])


EXACT_IN_FLOAT: Final = 2**53
"""Larger whole numbers are not all floats."""
_NUMBERS: Final = {pa.int64(), pa.float64()}


def _type_of(value: object) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return pa.int64()
    return pa.float64() if isinstance(value, float) else pa.string()


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type of a column that holds values of both: text where nothing else can."""
    if one == other:
        return one
    return pa.float64() if {one, other} == _NUMBERS else pa.string()


def _as_type(value: Any, kind: pa.DataType) -> Any:
    """Return a value for a column of a type; a text column shows others as JSON writes them."""
    if value is None or isinstance(value, str) or kind != pa.string():
        return value
    return json.dumps(value, default=str)


def repaired(row: Row) -> Row:
    """Return a trial's row in which no hyperparameter stands in another column's place.

    Older versions wrote an own argument called like a column into that column. What the row said
    before is in its configuration, or can only be unknown.
    """
    if row.get("config") is None:
        return row
    try:
        config = json.loads(row["config"])
        model, architecture = config["model"], str(config["name"])
    except (ValueError, TypeError, KeyError):
        # The configuration itself was overwritten: the trial stays, and nothing is known of it.
        empty = json.dumps({"name": row.get("architecture"), "model": {}, "training": {}})
        return row | {"config": empty}
    taken = [name for name in model if name in FIXED_TRIAL_COLUMNS]
    if all(setting_name(architecture, name) in row for name in taken):
        return row
    known = {
        "trial_id": hashlib.blake2b(row["config"].encode(), digest_size=8).hexdigest(),
        "architecture": architecture,
        "seed": config["seed"],
    }
    mended = dict(row)
    for name in taken:
        mended[setting_name(architecture, name)] = model[name]
        if name in known:
            mended[name] = known[name]
        elif not _belongs(row[name], ALL[name]):
            mended[name] = None
    defaults = {"status": "running", "cohort": "searched", "num_attempts": 0}
    return mended | {n: value for n, value in defaults.items() if mended.get(n) is None}


def _belongs(value: object, column: Column) -> bool:
    """Return whether a value can be one of a column's."""
    try:
        pa.array([value], type=column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
    return not column.values or value in column.values


ID_DIGITS: Final = 8
"""As much of a trial's id as people are shown: commands take a beginning of one."""


def short_id(trial_id: str) -> str:
    """Return a trial's id as people are shown it."""
    return trial_id[:ID_DIGITS]
