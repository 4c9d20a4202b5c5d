"""The Parquet parts of a sweep's tables: written whole, checked before they are trusted.

A part's CRC-32 is kept in `.parts.json` beside the tables, with the place up to which the journal
was sealed. A part whose content has another checksum is not read and is made again from the
journal: Parquet itself notices a damaged footer, but not every damaged page.
"""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.tables import TABLE_VERSION, Row

VERSION_KEY: Final = "picosweep_table_version"


class Parts:
    """The files `<table>/part-<segment>.parquet` of one sweep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checksums: dict[str, list[int]] = {}
        """Checksums that a part's content may have: two, while it is being replaced."""
        self.sealed_up_to: list[Any] | None = None
        """Name and size of the journal's last segment when the tables were last brought up to
        date; None where that is not known."""
        try:
            stored = json.loads(SweepFolder(folder).part_checksums.read_text(encoding="utf-8"))
            self._checksums = {str(name): list(found) for name, found in stored["parts"].items()}
            self.sealed_up_to = stored["journal"]
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return  # none yet, or lost: every part is made again once

    def path(self, table: str, segment: int) -> Path:
        """Return the path of a part."""
        return self._folder / table / f"part-{segment:06d}.parquet"

    def write(self, table: str, segment: int, rows: Iterable[Row], schema: pa.Schema) -> None:
        """Replace a part as a whole, or create it.

        Raises:
            OSError: it cannot be written; an older one stays.
        """
        content = to_parquet(rows, schema)
        path = self.path(table, segment)
        checksum = zlib.crc32(content)
        self._checksums[self._key(path)] = [*self._checksums.get(self._key(path), ()), checksum]
        self.save(self.sealed_up_to)
        replace_file(path, content)
        self._checksums[self._key(path)] = [checksum]

    def save(self, sealed_up_to: list[Any] | None) -> None:
        """Store the checksums, and up to where the journal is in the tables.

        Args:
            sealed_up_to: name and size of the journal's last segment; None where it is not known.
        """
        self.sealed_up_to = sealed_up_to
        noted = {"journal": sealed_up_to, "parts": self._checksums}
        replace_file(SweepFolder(self._folder).part_checksums, json.dumps(noted, indent=1).encode())

    def num_rows(self, table: str, segment: int) -> int | None:
        """Return the number of a part's rows, None where it is missing or damaged."""
        path = self.path(table, segment)
        return _num_rows(path) if self._is_whole(path) else None

    def has_columns(self, table: str, segment: int, schema: pa.Schema) -> bool:
        """Return whether a whole part has today's columns; an older version's may lack some."""
        return bool(pq.read_schema(self.path(table, segment)).equals(schema))

    def is_damaged(self, table: str, segment: int) -> bool:
        """Return whether a part was written once and is missing or changed since."""
        path = self.path(table, segment)
        return self._key(path) in self._checksums and not self._is_whole(path)

    def segments(self, table: str) -> list[int]:
        """Return the segment numbers of a table's parts, damaged ones too."""
        paths = (self._folder / table).glob("part-*.parquet")
        return sorted(int(path.stem.removeprefix("part-")) for path in paths)

    def rows(self, table: str, segment: int, columns: list[str] | None = None) -> list[Row]:
        """Return a part's rows as in the journal; none where it is missing or damaged."""
        path = self.path(table, segment)
        if not self._is_whole(path):
            return []
        try:
            return read_part(path, columns)
        except (OSError, pa.ArrowInvalid, KeyError):
            return []

    def remove(self, table: str, segment: int) -> None:
        """Delete a part that no segment of the journal belongs to."""
        path = self.path(table, segment)
        path.unlink(missing_ok=True)
        self._checksums.pop(self._key(path), None)

    def _key(self, path: Path) -> str:
        return f"{path.parent.name}/{path.name}"

    def _is_whole(self, path: Path) -> bool:
        expected = self._checksums.get(self._key(path))
        try:
            return expected is not None and zlib.crc32(path.read_bytes()) in expected
        except OSError:
            return False


def read_part(path: Path, columns: list[str] | None = None) -> list[Row]:
    """Read the rows of one Parquet file, times in microseconds since the epoch.

    Neither by `pyarrow.parquet.read_table` nor with times as Python has them: both import pandas on
    the way, a third of a second.

    Args:
        path: the Parquet file.
        columns: names of the columns to read; None: all.

    Raises:
        OSError: the file cannot be read.
        pyarrow.ArrowInvalid: the file is damaged.
        KeyError: the file lacks one of the columns.
    """
    with pq.ParquetFile(path) as file:
        missing = set(columns or ()) - set(file.schema_arrow.names)
        if missing:
            raise KeyError(*missing)
        read = file.read(columns=columns)
    for index, field in enumerate(read.schema):
        if pa.types.is_timestamp(field.type):
            read = read.set_column(index, field.name, read.column(index).cast(pa.int64()))
    rows: list[Row] = read.to_pylist()
    return rows


def to_parquet(rows: Iterable[Row], schema: pa.Schema) -> bytes:
    """Return rows as the content of a Parquet file; the same rows give the same bytes."""
    listed = list(rows)
    columns = [
        pa.array([row.get(field.name) for row in listed], type=field.type) for field in schema
    ]
    table = pa.Table.from_arrays(columns, schema=schema)
    sink = pa.BufferOutputStream()
    metadata = {VERSION_KEY: str(TABLE_VERSION)}
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def check_version(folder: Path) -> None:
    """Refuse a folder whose columns may mean something else.

    Raises:
        InputError: its tables are of another version.
    """
    for path in sorted(folder.glob("trials/part-*.parquet")):
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (OSError, pa.ArrowInvalid):
            continue
        refuse_version(folder, metadata.get(VERSION_KEY.encode(), b"none").decode())


def refuse_version(folder: Path, version: Any) -> None:
    """Refuse every version of the tables but this one.

    Raises:
        InputError: the version is another.
    """
    if str(version) != str(TABLE_VERSION):
        raise input_error(
            "this results folder has tables of another version",
            where=str(folder),
            found=str(version),
            allowed=str(TABLE_VERSION),
            hint="give the sweep another name; the old folder stays readable",
        )


def _num_rows(path: Path) -> int | None:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowInvalid):
        return None
