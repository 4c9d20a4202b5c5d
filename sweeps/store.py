"""A sweep's results folder: journal, Parquet tables, checkpoints; written by one driver alone.

`Store` holds the sweep's rows in memory, commits new ones to the journal and seals them into
Parquet from time to time, so that a report can be made while the sweep runs.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.checkpoints import keep_only, newest_checkpoint, save_checkpoint
from sweeps.errors import input_error
from sweeps.files import replace_file
from sweeps.journal import Entry, Journal, Row
from sweeps.tables import FIXED_TRIAL_COLUMNS, TABLE_VERSION, TABLES, TERMINAL_STATUSES

APPENDED_TABLES: Final = ("reports", "decisions", "samples")
"""Tables whose rows never change; a `trials` row is replaced when the trial ends."""


class Store:
    """The rows of one sweep.

    Args:
        folder: the sweep's folder, made where missing.
        hyperparameters: the types of the hyperparameter columns that the spec can give rise to.

    Raises:
        InputError: the folder cannot be written, belongs to a running driver, or was written by
            a version of Picosweep with other tables.
    """

    def __init__(self, folder: Path, hyperparameters: Mapping[str, pa.DataType]) -> None:
        self.folder = folder
        _check_version(folder)
        self._lock = lock_folder(folder)
        self._types = dict(hyperparameters)
        self.trials: dict[str, Row] = {}
        self.rows: dict[str, dict[str, list[Row]]] = {name: {} for name in APPENDED_TABLES}
        self._by_segment: dict[str, dict[int, list[Row]]] = {name: {} for name in APPENDED_TABLES}
        self._unsealed: set[tuple[str, int]] = set()
        self._trials_changed = False
        self._journal = Journal(folder / "journal")
        for transaction in self._journal.read():
            for entry in transaction.entries:
                self._apply(entry, transaction.segment)
        self.damaged_lines = self._journal.damaged_lines
        self._forget_sealed()

    def _apply(self, entry: Entry, segment: int) -> None:
        table, row = entry
        if table == "trials":
            self.trials[row["trial_id"]] = row
            self._trials_changed = True
            return
        self.rows[table].setdefault(row["trial_id"], []).append(row)
        self._by_segment[table].setdefault(segment, []).append(row)
        self._unsealed.add((table, segment))

    def commit(self, *entries: Entry) -> None:
        """Make rows true together, on disk first.

        Raises:
            OSError: the disk is full or gone; nothing of this commit counts then.
        """
        segment = self._journal.append(*entries)
        for entry in entries:
            self._apply(entry, segment)

    def reports_of(self, trial_id: str) -> list[Row]:
        """A trial's reports in the order of training."""
        return self.rows["reports"].get(trial_id, [])

    def reports_in_order(self) -> list[Row]:
        """Every report of the sweep in the order in which the driver saw them."""
        segments = self._by_segment["reports"]
        return [row for segment in sorted(segments) for row in segments[segment]]

    def decisions_of(self, trial_id: str) -> list[Row]:
        """A trial's early-stopping decisions in the order of rungs."""
        return self.rows["decisions"].get(trial_id, [])

    # Parquet

    def _part(self, table: str, segment: int) -> Path:
        return self.folder / table / f"part-{segment:06d}.parquet"

    def _forget_sealed(self) -> None:
        """Leave out parts that an earlier driver sealed whole; a corrupt part is written again."""
        for table, segment in sorted(self._unsealed):
            if _num_rows(self._part(table, segment)) == len(self._by_segment[table][segment]):
                self._unsealed.discard((table, segment))

    def seal(self) -> None:
        """Bring the Parquet tables up to date; each file is replaced whole, never half."""
        for table, segment in sorted(self._unsealed):
            rows = self._by_segment[table][segment]
            _write(self._part(table, segment), rows, TABLES[table])
        self._unsealed.clear()
        for table in APPENDED_TABLES:
            if table != "samples" and not self._by_segment[table]:
                _write(self._part(table, 0), [], TABLES[table])
        if self._trials_changed or not self._part("trials", 0).exists():
            _write(self._part("trials", 0), list(self.trials.values()), self._trials_schema())
            self._trials_changed = False

    def _trials_schema(self) -> pa.Schema:
        """The fixed columns, then the hyperparameters of the spec and of earlier trials."""
        types = dict(self._types)
        for row in self.trials.values():
            for name in row.keys() - FIXED_TRIAL_COLUMNS - types.keys():
                if row[name] is not None:
                    types[name] = pa.array([row[name]]).type
        extra = [pa.field(name, types[name]) for name in types]
        return pa.schema([*TABLES["trials"], *extra])

    # Files beside the tables

    def save_checkpoint(self, trial_id: str, step: int, content: bytes) -> None:
        """Write a trial's checkpoint, before the report that belongs to it."""
        save_checkpoint(self.folder, trial_id, step, content)

    def drop_older_checkpoints(self, trial_id: str, step: int) -> None:
        """Delete a trial's other checkpoints, after the report at `step` was committed."""
        keep_only(self.folder, trial_id, step)

    def load_checkpoint(self, trial_id: str) -> bytes | None:
        """The checkpoint from which a trial goes on without leaving out a report, or None."""
        reports = self.reports_of(trial_id)
        path = newest_checkpoint(self.folder, trial_id, reports[-1]["step"] if reports else 0)
        return None if path is None else path.read_bytes()

    def write_json(self, name: str, content: Any) -> None:
        """Write a file such as `spec.json` beside the tables."""
        self.write_text(name, json.dumps(content, indent=2, default=str) + "\n")

    def write_text(self, name: str, content: str) -> None:
        """Write a text file beside the tables."""
        replace_file(self.folder / name, content.encode())

    def read_json(self, name: str) -> Any:
        """A file written by `write_json`; None where it is missing or damaged."""
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Bring the journal to disk and let another driver in."""
        self._journal.close()
        self._lock.close()


def lock_folder(folder: Path) -> IO[str]:
    """Take a sweep's folder for this process, until the returned file is closed.

    Raises:
        InputError: another driver holds it, or it cannot be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise input_error(f"cannot write here: {reason}", where=str(folder)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise input_error(
            f"this sweep is being run by {holder}",
            where=str(folder),
            hint="wait for it, or stop it first",
        ) from error
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def running_driver(folder: Path) -> str | None:
    """Which process is running a sweep, None where none is."""
    try:
        with (folder / ".lock").open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "another process"
    except OSError:
        return None
    return None


def read_rows(folder: Path, table: str, columns: list[str] | None = None) -> list[Row]:
    """The rows of one table of a sealed sweep; an unreadable part counts as empty."""
    rows: list[Row] = []
    for path in sorted((folder / table).glob("part-*.parquet")):
        try:
            rows += pq.read_table(path, columns=columns, partitioning=None).to_pylist()
        except (OSError, pa.ArrowInvalid, KeyError):
            continue
    return rows


def find_elsewhere(results: Path, sweep: str) -> dict[str, Path]:
    """The trials that other sweeps in the same results folder have brought to an end."""
    found: dict[str, Path] = {}
    for folder in sorted(path.parent for path in results.glob("*/trials")):
        if folder.name != sweep:
            for row in read_rows(folder, "trials", ["trial_id", "status"]):
                if row["status"] in TERMINAL_STATUSES and row["status"] != "failed":
                    found.setdefault(row["trial_id"], folder)
    return found


def _num_rows(path: Path) -> int | None:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowInvalid):
        return None


def _check_version(folder: Path) -> None:
    for path in sorted(folder.glob("trials/part-*.parquet")):
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (OSError, pa.ArrowInvalid):
            continue
        version = metadata.get(b"picosweep_table_version", b"none").decode()
        if version != str(TABLE_VERSION):
            raise input_error(
                "this results folder has tables of another version",
                where=str(folder),
                found=version,
                allowed=str(TABLE_VERSION),
                hint="give the sweep another name; the old folder stays readable",
            )


def _write(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    names = schema.names
    listed = list(rows)
    columns = [
        pa.array([row.get(name) for row in listed], type=schema.field(name).type) for name in names
    ]
    table = pa.Table.from_arrays(columns, schema=schema)
    metadata = {"picosweep_table_version": str(TABLE_VERSION)}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    replace_file(path, sink.getvalue().to_pybytes())
