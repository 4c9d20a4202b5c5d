"""What a sweep's folder holds, read here once more without the code under test."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

KEYS = {"reports": "step", "decisions": "rung"}
TERMINAL = ("completed", "stopped", "diverged", "failed", "cached")

Row = dict[str, Any]
Key = tuple[str, str, int]
"""Table, trial and place: what no two rows share."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Everything that a new driver could find: in the journal, or else in a whole Parquet part."""

    rows: dict[Key, Row]
    trials: dict[str, Row]
    checkpoints: dict[str, list[tuple[int, bool]]]
    """The step of each of a trial's checkpoint files, and whether it is whole."""

    def last_steps(self) -> dict[str, int]:
        """The step of the last report of each trial that has one."""
        last: dict[str, int] = {}
        for table, trial_id, step in self.rows:
            if table == "reports":
                last[trial_id] = max(step, last.get(trial_id, 0))
        return last

    def starts(self) -> dict[str, int]:
        """The step from which each trial can go on without leaving out a report."""
        starts = {}
        for trial_id, last in self.last_steps().items():
            stored = self.checkpoints.get(trial_id, [])
            starts[trial_id] = max((s for s, whole in stored if whole and s <= last), default=0)
        return starts


def read_disk(folder: Path) -> Disk:
    """Read a sweep's folder."""
    rows: dict[Key, Row] = {}
    for table in KEYS:
        rows |= {_key(table, row): row for row in read_parts(folder, table)}
    trials = {row["trial_id"]: row for row in read_parts(folder, "trials")}
    ended = {trial_id for trial_id, row in trials.items() if row["status"] in TERMINAL}
    for table, row in read_lines(folder):
        if table in KEYS:
            rows[_key(table, row)] = row
        elif table == "trials":
            known = trials.get(row["trial_id"])
            if known is None or row["trial_id"] not in ended or row["status"] in TERMINAL:
                trials[row["trial_id"]] = row
    return Disk(rows=rows, trials=trials, checkpoints=_read_checkpoints(folder))


def read_lines(folder: Path) -> list[tuple[str, Row]]:
    """The journal's rows, of lines whose checksum is right."""
    rows = []
    for path in sorted((folder / "journal").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            checksum, _, body = line.partition(b" ")
            if body and checksum == b"%08x" % zlib.crc32(body):
                rows += [(table, row) for table, row in json.loads(body)]
    return rows


def read_parts(folder: Path, table: str) -> list[Row]:
    """The rows of a table's parts, of those whose checksum is right."""
    try:
        noted = json.loads((folder / ".parts.json").read_text())["parts"]
    except FileNotFoundError:
        return []
    rows: list[Row] = []
    for path in sorted((folder / table).glob("part-*.parquet")):
        if zlib.crc32(path.read_bytes()) in noted.get(f"{table}/{path.name}", ()):
            rows += pl.read_parquet(path).to_dicts()
    return rows


def keys_twice(folder: Path) -> int:
    """How many rows of the Parquet tables there are for which there is another."""
    return sum(
        len(rows) - len({_key(table, row) for row in rows})
        for table in KEYS
        for rows in [read_parts(folder, table)]
    )


def only_in_one(folder: Path) -> int:
    """How many rows are in the journal or in the Parquet tables but not in both."""
    journal = {_key(table, row) for table, row in read_lines(folder) if table in KEYS}
    parts = {_key(table, row) for table in KEYS for row in read_parts(folder, table)}
    return len(journal ^ parts)


def _key(table: str, row: Row) -> Key:
    return table, row["trial_id"], row[KEYS[table]]


def _read_checkpoints(folder: Path) -> dict[str, list[tuple[int, bool]]]:
    found: dict[str, list[tuple[int, bool]]] = {}
    for path in folder.glob("checkpoints/*/[0-9]*.safetensors"):
        step, _, checksum = path.stem.partition("-")
        whole = int(checksum, 16) == zlib.crc32(path.read_bytes())
        found.setdefault(path.parent.name, []).append((int(step), whole))
    return found
