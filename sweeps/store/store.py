"""A sweep's results folder: journal, Parquet tables, checkpoints; written by one driver alone.

`Store` holds the sweep's rows in memory, commits new ones to the journal and seals them into
Parquet from time to time, so that a report can be made while the sweep runs.
"""

import time
from pathlib import Path
from typing import Final

from picosweep.sweeps.store.atomic_write import remove_debris
from picosweep.sweeps.store.checkpoints import (
    drop_others,
    read_checkpoint,
    save_checkpoint,
    with_several_checkpoints,
)
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.journal import Entry, Journal, journal_position
from picosweep.sweeps.store.lock import lock_folder
from picosweep.sweeps.store.parquet import Parts, check_version, refuse_version
from picosweep.sweeps.store.recovery import lost_rows
from picosweep.sweeps.store.tables import (
    TABLE_VERSION,
    TABLES,
    TERMINAL_STATUSES,
    Declared,
    Row,
    repaired,
    trials_table,
    whole_row,
)

APPENDED_TABLES: Final = tuple(table for table in TABLES if table != "trials")
"""Tables whose rows never change; a `trials` row is replaced when the trial ends."""

ALWAYS_THERE: Final = ("reports", "decisions", "samples", "incidents")
"""Tables that are written even without a row: readers ask for them."""


class Store:
    """The rows of one sweep.

    What was damaged in the folder is repaired as far as possible, and recorded as an incident.

    Args:
        folder: the sweep's folder, made where missing.
        hyperparameters: those that the spec can give rise to: they get columns in any case.

    Raises:
        InputError: the folder cannot be written, belongs to a running driver, or was written by
            a version of Picosweep with other tables.
    """

    def __init__(self, folder: Path, hyperparameters: Declared) -> None:
        self.folder = folder
        self.files = SweepFolder(folder)
        check_version(folder)
        self._lock = lock_folder(folder)
        try:
            self._open(hyperparameters)
        except BaseException:
            self._lock.close()
            raise

    def _open(self, hyperparameters: Declared) -> None:
        self._declared = tuple(hyperparameters)
        self.trials: dict[str, Row] = {}
        self.rows: dict[str, dict[str | None, list[Row]]] = {name: {} for name in APPENDED_TABLES}
        self._by_segment: dict[str, dict[int, list[Row]]] = {name: {} for name in APPENDED_TABLES}
        self._unsealed: set[tuple[str, int]] = set()
        self._trials_changed = False
        self._kept: dict[str, tuple[int, bool]] = {}
        """The checkpoint that each trial keeps when the next sync is done, and whether alone."""
        self.repairs: list[str] = []
        """What was found damaged when the folder was opened, in words."""
        for place in (self.folder, *(self.folder / table for table in TABLES)):
            remove_debris(place)
        self._parts = Parts(self.folder)
        self._journal = Journal(self.files.journal)
        is_new = True
        for transaction in self._journal.read():
            is_new = False
            for entry in transaction.entries:
                self._apply(entry, transaction.segment)
        if is_new:
            self._journal.append(("format", {"table_version": TABLE_VERSION}))
        self._mend()
        self._find_superseded()

    def _find_superseded(self) -> None:
        """Find the checkpoints that a killed driver had no time to delete."""
        for trial_id in with_several_checkpoints(self.folder):
            reports = self.reports_of(trial_id)
            last = reports[-1]["step"] if reports else 0
            found = read_checkpoint(self.folder, trial_id, last)
            if found is not None and found.step == last:
                status = self.trials.get(trial_id, {}).get("status")
                self._kept[trial_id] = (last, status in TERMINAL_STATUSES)

    def _apply(self, entry: Entry, segment: int) -> None:
        table, row = entry[0], whole_row(entry[1])
        if table == "format":
            refuse_version(self.folder, row["table_version"])
            return
        if table == "trials":
            known = repaired(row)
            self.trials[known["trial_id"]] = known
            self._trials_changed = True
            return
        self.rows[table].setdefault(row["trial_id"], []).append(row)
        self._by_segment[table].setdefault(segment, []).append(row)
        self._unsealed.add((table, segment))

    def _mend(self) -> None:
        """Repair what can be repaired, and record what was wrong."""
        journal = self._journal
        if journal.torn_bytes:
            self.repairs.append("the journal's last line was half-written and has been cut off")
        lost = lost_rows(
            self._parts, self.trials, self._by_segment, damaged=bool(journal.damaged_lines)
        )
        if journal.damaged_lines:
            self.repairs.append(f"{journal.damaged_lines} lines of the journal cannot be read")
        for entry in lost:
            self.commit(entry)
        for table in ("reports", "decisions") if lost else ():
            for rows in self.rows[table].values():
                rows.sort(key=lambda row: row["rung" if table == "decisions" else "step"])
        if lost:
            self.repairs.append(f"{len(lost)} rows that the journal had lost are back from Parquet")
        for table, segment in sorted(self._unsealed):
            if self._parts.is_damaged(table, segment):
                self.repairs.append(f"a damaged part of {table} is made again from the journal")
            elif self._is_sealed(table, segment):
                self._unsealed.discard((table, segment))
        if self._parts.is_damaged("trials", 0):
            self.repairs.append("the damaged table of trials is made again from the journal")
        noted = {row["text"] for row in self.rows["incidents"].get(None, ())}
        for repair in self.repairs:
            if not (repair in noted and "cannot be read" in repair):  # lines stay unreadable
                self.note("repaired", repair)

    def _is_sealed(self, table: str, segment: int) -> bool:
        """Return whether a part holds what its segment of the journal holds, in today's columns.

        One of an older version is made again: readers want one schema in all of a table's files.
        """
        if self._parts.num_rows(table, segment) != len(self._by_segment[table][segment]):
            return False
        return self._parts.has_columns(table, segment, TABLES[table])

    def commit(self, *entries: Entry) -> None:
        """Add rows to the sweep in one transaction, to the journal first.

        Raises:
            OSError: the disk is full or gone; nothing of this commit counts then.
        """
        segment = self._journal.append(*entries)
        for entry in entries:
            self._apply(entry, segment)
        if self._journal.synced:
            self._drop_superseded()

    def note(self, kind: str, text: str, trial_id: str | None = None) -> None:
        """Record an incident.

        Raises:
            OSError: the disk is full or gone; the incident is not recorded then.
        """
        micros = int(time.time() * 1_000_000)
        row = {"time": micros, "trial_id": trial_id, "kind": kind, "text": text}
        self.commit(("incidents", row))

    def reports_of(self, trial_id: str) -> list[Row]:
        """Return a trial's reports in the order of training."""
        return self.rows["reports"].get(trial_id, [])

    def reports_in_order(self) -> list[Row]:
        """Return every report of the sweep in the order of the journal."""
        segments = self._by_segment["reports"]
        return [row for segment in sorted(segments) for row in segments[segment]]

    def decisions_of(self, trial_id: str) -> list[Row]:
        """Return a trial's early-stopping decisions in the order of rungs."""
        return self.rows["decisions"].get(trial_id, [])

    def asked_of(self, trial_id: str, table: str) -> list[Row]:
        """Return what a trial has answered: its rows of one of `ASKED_TABLES`."""
        return self.rows[table].get(trial_id, [])

    # Parquet

    def seal(self) -> None:
        """Bring the Parquet tables up to date; each file is replaced whole, never half.

        Raises:
            OSError: the disk is full or gone; the journal has everything all the same.
        """
        position = journal_position(self.files.journal)
        for table, segment in sorted(self._unsealed):
            rows = self._by_segment[table][segment]
            self._parts.write(table, segment, rows, TABLES[table])
            self._unsealed.discard((table, segment))
        for table in ALWAYS_THERE:
            if not self._by_segment[table]:
                self._parts.write(table, 0, [], TABLES[table])
        if self._trials_changed or self._parts.num_rows("trials", 0) is None:
            self._parts.write("trials", 0, *trials_table(self.trials.values(), self._declared))
            self._trials_changed = False
        for table in APPENDED_TABLES:
            for segment in set(self._parts.segments(table)) - self._by_segment[table].keys() - {0}:
                self._parts.remove(table, segment)
        self._parts.save(position)

    # Files beside the tables

    def save_checkpoint(self, trial_id: str, step: int, content: bytes) -> None:
        """Write a trial's checkpoint, before the report that belongs to it."""
        save_checkpoint(self.folder, trial_id, step, content)

    def keep_checkpoint(self, trial_id: str, step: int, *, alone: bool) -> None:
        """Have a trial's other checkpoints deleted after the journal is next brought to disk.

        Until then a power cut could take the report at `step` back, and the trial must be able to
        go on from the checkpoint before it.

        Args:
            trial_id: id of the trial.
            step: step of the checkpoint to keep.
            alone: whether the trial has ended; else a later checkpoint stays, which may already
                have been written for the report that comes next.
        """
        self._kept[trial_id] = (step, alone)

    def _drop_superseded(self) -> None:
        for trial_id, (step, alone) in self._kept.items():
            drop_others(self.folder, trial_id, step, later=alone)
        self._kept.clear()

    def load_checkpoint(self, trial_id: str) -> bytes | None:
        """Return the checkpoint to go on from without leaving out a report; None: from none."""
        reports = self.reports_of(trial_id)
        found = read_checkpoint(self.folder, trial_id, reports[-1]["step"] if reports else 0)
        return None if found is None else found.content

    def close(self) -> None:
        """Bring the journal to disk and release the lock on the folder."""
        try:
            self._journal.close()
            self._drop_superseded()
        finally:
            self._lock.close()
