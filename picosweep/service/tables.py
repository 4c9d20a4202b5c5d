"""Rows of a sweep's tables, for programs: a trial's as JSON, a whole table as CSV.

They are the Parquet parts as the driver sealed them last, some seconds behind a sweep that runs.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from picosweep.sweeps.store.parquet import read_part
from picosweep.sweeps.store.tables import TABLES, Row

MOST_ROWS: Final = 2000
CHUNK_ROWS: Final = 1000


def parts_of(folder: Path, table: str) -> list[Path]:
    """Return a table's files, the oldest first; none where the sweep has no such rows."""
    return sorted((folder / table).glob("part-*.parquet"))


def rows_of(folder: Path, table: str, trial_id: str) -> list[Row]:
    """Return a trial's rows of a table, at most two thousand of them.

    Raises:
        OSError: a part cannot be read.
    """
    found: list[Row] = []
    for path in parts_of(folder, table):
        found += [row for row in read_part(path) if row.get("trial_id") == trial_id]
        if len(found) >= MOST_ROWS:
            break
    return found[:MOST_ROWS]


def as_csv(folder: Path, table: str) -> Iterator[bytes]:
    """Yield a whole table as CSV, in the encoding UTF-8, its header first.

    Raises:
        OSError: a part cannot be read: the stream ends in the middle.
    """
    paths = parts_of(folder, table)
    names = dict.fromkeys(TABLES[table].names)
    for path in paths:
        names |= dict.fromkeys(pq.read_schema(path).names)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), restval="")
    writer.writeheader()
    for path in paths:
        rows = read_part(path)
        for start in range(0, len(rows), CHUNK_ROWS):
            writer.writerows(rows[start : start + CHUNK_ROWS])
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    content = text.getvalue().encode("utf-8", errors="replace")
    text.seek(0)
    text.truncate()
    return content
