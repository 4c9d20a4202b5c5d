"""What a sweep must hold in the end, noted while faults are injected into it."""

import json
import math
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

KEYS = {"reports": ("trial_id", "step"), "decisions": ("trial_id", "rung")}
MEASURED = frozenset(
    {"seconds", "training_seconds", "tokens_per_second", "peak_memory_bytes", "time"}
)
"""Columns that depend on the machine's mood: other bits when a step is trained again."""

Row = dict[str, Any]
Key = tuple[str, str, int]


@dataclass
class Ledger:
    """Rows that were seen, and work that a fault has made necessary again."""

    folder: Path
    expected: dict[Key, Row] = field(default_factory=dict)
    destroyed: int = 0
    """Rows that a fault erased from the journal before they had reached Parquet."""
    forgiven: Counter[str] = field(default_factory=Counter)
    """How often a trial had to begin again since a fault destroyed what it could go on from."""

    def note_journal(self) -> None:
        """Expect every row that the journal holds now."""
        for table, row in read_lines(self.folder):
            if table in KEYS:
                self.expected.setdefault(_key(table, row), row)

    def note_cut(self, before: list[tuple[str, Row]]) -> None:
        """Hear that the journal was cut: what is nowhere on the disk any more is not expected.

        Rows of trials that are still known come back, since their training is repeated.

        Args:
            before: the journal's rows before it was cut.
        """
        kept = {_key(table, row) for table, row in read_lines(self.folder) if table in KEYS}
        known = {row["trial_id"] for table, row in read_lines(self.folder) if table == "trials"}
        for table in KEYS:
            for row in _parquet(self.folder, table):
                kept.add(_key(table, row))
        known |= {row["trial_id"] for row in _parquet(self.folder, "trials")}
        judged_again: set[str] = set()
        remaining = Counter(row["trial_id"] for t, row in read_lines(self.folder) if t == "trials")
        for table, row in before:
            if table == "trials":
                remaining[row["trial_id"]] -= 1
                # The count of its attempts is gone with the row.
                self.forgiven[row["trial_id"]] += remaining[row["trial_id"]] < 0
            if table not in KEYS or _key(table, row) in kept:
                continue
            trial_id = row["trial_id"]
            self.forgiven[trial_id] += 1
            # It diverged because it was told to, and will not be told again.
            on_order = table == "reports" and not math.isfinite(row["val_loss"])
            gone = trial_id not in known or trial_id in judged_again or on_order
            if gone or table == "decisions":
                self.destroyed += self.expected.pop(_key(table, row), None) is not None
            if table == "decisions":
                judged_again.add(trial_id)  # perhaps otherwise, and then it ends here

    def verdict(self, steps_log: Path, interval: int, all_steps: tuple[int, ...]) -> "Verdict":
        """Compare the finished sweep with what was expected of it.

        Args:
            steps_log: every training step that any process took, by the trial's number.
            interval: most steps from one report to the next.
            all_steps: where a trial that runs to its end reports.
        """
        found: dict[Key, Row] = {}
        doubled = 0
        for table in KEYS:
            for row in _parquet(self.folder, table):
                doubled += _key(table, row) in found
                found[_key(table, row)] = row
        lost = sum(key not in found for key in self.expected)
        altered = sum(
            not _same(row, found[key]) for key, row in self.expected.items() if key in found
        )
        journal = {_key(t, row): row for t, row in read_lines(self.folder) if t in KEYS}
        trials = _parquet(self.folder, "trials")
        doubled += len(trials) - len({row["trial_id"] for row in trials})
        reports = Counter(key[1] for key in found if key[0] == "reports")
        unfinished = sum(
            row["status"] == "running"
            or (row["status"] == "completed" and reports[row["trial_id"]] != len(all_steps))
            for row in trials
        )
        taken = Counter(int(line) for line in steps_log.read_text().split())
        again = []
        for row in trials:
            attempts = max(1, row["num_attempts"])
            allowed = (row["step"] or 0) + attempts * interval
            allowed += self.forgiven[row["trial_id"]] * all_steps[-1]
            if taken[row["number"]] > allowed:
                again.append(row["trial_id"])
        return Verdict(
            num_expected=len(self.expected),
            num_found=len(found),
            num_trials=len(trials),
            lost=lost,
            doubled=doubled,
            altered=altered,
            not_in_journal=len(found.keys() ^ journal.keys()),
            unfinished=unfinished,
            retrained=again,
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it."""

    num_expected: int
    num_found: int
    num_trials: int
    lost: int
    doubled: int
    altered: int
    """Rows whose numbers are not those that were seen first."""
    not_in_journal: int
    """Rows that are in only one of journal and Parquet."""
    unfinished: int
    retrained: list[str]
    """Trials that took more steps than they and their interruptions account for."""

    @property
    def good(self) -> bool:
        """Whether the sweep is whole."""
        wrong = (self.lost, self.doubled, self.altered, self.not_in_journal, self.unfinished)
        return not any(wrong) and not self.retrained and self.num_found >= self.num_expected


def read_lines(folder: Path) -> list[tuple[str, Row]]:
    """The journal's rows, read here once more without the code under test."""
    rows = []
    for path in sorted((folder / "journal").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            checksum, _, body = line.partition(b" ")
            if body and checksum == b"%08x" % zlib.crc32(body):
                rows += [(table, row) for table, row in json.loads(body)]
    return rows


def _key(table: str, row: Row) -> Key:
    _, place = KEYS[table]
    return table, row["trial_id"], row[place]


def _parquet(folder: Path, table: str) -> list[Row]:
    rows: list[Row] = []
    for path in sorted((folder / table).glob("part-*.parquet")):
        try:
            rows += pl.read_parquet(path).to_dicts()
        except (pl.exceptions.PolarsError, OSError):
            continue
    return rows


def _same(first: Row, second: Row) -> bool:
    for name, value in first.items():
        other = second.get(name)
        both_nan = all(isinstance(x, float) and math.isnan(x) for x in (value, other))
        if name not in MEASURED and value != other and not both_nan:
            return False
    return True
