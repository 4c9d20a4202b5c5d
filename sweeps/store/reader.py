"""Reading a sweep's rows without holding it: from Parquet, or from the journal where that is newer.

Parquet follows the journal by some seconds while a sweep runs, and by more where its driver was
killed; where a table is missing or damaged, the journal still has all of it.
"""

import collections
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from picosweep.sweeps.store.checkpoints import StoredCheckpoint, read_checkpoint
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.journal import Journal, journal_position
from picosweep.sweeps.store.parquet import Parts, read_part
from picosweep.sweeps.store.tables import TABLES, TERMINAL_STATUSES, Row, repaired, whole_row

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def read_rows(folder: Path, table: str, columns: list[str] | None = None) -> list[Row]:
    """Return the rows of one table of a sweep, whether it runs or not.

    Args:
        folder: the sweep's folder.
        table: one of `sweeps.store.tables.TABLES`.
        columns: names of the columns to read; None: all.
    """
    if not _is_stale(folder, table):
        rows: list[Row] = []
        try:
            for path in sorted((folder / table).glob("part-*.parquet")):
                rows += read_part(path, columns)
        except (OSError, pa.ArrowInvalid, KeyError):
            pass
        else:
            return _with_times(rows, table)
    return _from_journal(folder, table, columns)


def _with_times(rows: list[Row], table: str) -> list[Row]:
    times = [field.name for field in TABLES[table] if pa.types.is_timestamp(field.type)]
    return [row | {name: _time(row[name]) for name in times if name in row} for row in rows]


def read_journal(folder: Path) -> dict[str, list[Row]]:
    """Return every table of a sweep from its journal, times in microseconds since the epoch."""
    trials: dict[str, Row] = {}
    tables: dict[str, list[Row]] = collections.defaultdict(list)
    for transaction in Journal(SweepFolder(folder).journal, create=False).read(repair=False):
        for table, stored in transaction.entries:
            row = whole_row(stored)
            if table == "trials":
                known = repaired(row)
                trials[known["trial_id"]] = known
            else:
                tables[table].append(row)
    return {**tables, "trials": list(trials.values())}


def _from_journal(folder: Path, table: str, columns: list[str] | None) -> list[Row]:
    rows = read_journal(folder).get(table, [])
    names = columns or list(
        dict.fromkeys([*TABLES[table].names, *(k for row in rows for k in row)])
    )
    return _with_times([{name: row.get(name) for name in names} for row in rows], table)


def time_of(micros: int) -> datetime.datetime:
    """Convert a time of the journal, which counts microseconds since the epoch."""
    return _EPOCH + datetime.timedelta(microseconds=micros)


def _time(micros: int | None) -> datetime.datetime | None:
    return None if micros is None else time_of(micros)


def _is_stale(folder: Path, table: str) -> bool:
    """Return whether the journal may hold rows that a table lacks, or the table is damaged."""
    position = journal_position(SweepFolder(folder).journal)
    if position is None:
        return False
    parts = Parts(folder)
    if parts.sealed_up_to is None:
        return not parts.segments("trials")
    damaged = any(parts.is_damaged(table, segment) for segment in parts.segments(table))
    return damaged or parts.sealed_up_to != position


def find_elsewhere(results: Path, sweep: str) -> dict[str, Path]:
    """Return the folders of other sweeps by the trials that ended there, failed ones left out."""
    found: dict[str, Path] = {}
    for folder in sweep_folders(results):
        if folder.name != sweep:
            for row in read_rows(folder, "trials", ["trial_id", "status"]):
                if row["status"] in TERMINAL_STATUSES and row["status"] != "failed":
                    found.setdefault(row["trial_id"], folder)
    return found


def sweep_folders(results: Path) -> list[Path]:
    """Return the folders of all sweeps below a results folder, by name."""
    return sorted(path for path in results.glob("*") if SweepFolder(path).is_sweep)


class OtherSweeps:
    """The rows of trials that other sweeps have trained, each sweep read once.

    Args:
        folders: folders of sweeps by the ids of trials that ended there, see `find_elsewhere`.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._read: dict[tuple[Path, str], dict[str, list[Row]]] = {}

    def folder_of(self, trial_id: str) -> Path | None:
        """Return the folder of the sweep that has a trial, None where none has."""
        return self._folders.get(trial_id)

    def rows(self, trial_id: str, table: str) -> list[Row]:
        """Return a trial's rows of `reports` or `samples`, in the order of training."""
        key = (self._folders[trial_id], table)
        if key not in self._read:
            grouped: dict[str, list[Row]] = collections.defaultdict(list)
            for row in read_rows(*key):
                grouped[row["trial_id"]].append(row)
            self._read[key] = grouped
        return sorted(self._read[key].get(trial_id, []), key=lambda row: row["step"])

    def checkpoint(self, trial_id: str, up_to: int) -> StoredCheckpoint | None:
        """Return a trial's newest checkpoint at a step or before it, None where it has none."""
        return read_checkpoint(self._folders[trial_id], trial_id, up_to)
