"""The journal: the one truth of a sweep, written before anything else sees a result.

Parquet cannot be appended to, so results go first into line-delimited JSON. One line is one
transaction (a report together with the early-stopping decision it led to), protected by a checksum
and handed to the operating system before the sweep goes on: killing any process loses no line and
leaves at most one half-written one, which is cut off when the journal is opened again. Lines are
in the order in which the driver saw things, so replaying them rebuilds its state exactly.

The journal is a folder of numbered segments; Parquet parts are made from segments one to one and
can be made again at any time.
"""

import errno
import json
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.tables import Row

Entry = tuple[str, Row]
"""A table's name and one of its rows."""

SEGMENT_LINES: Final = 50_000
FSYNC_SECONDS: Final = 1.0
"""A power cut can lose at most this much; a killed process loses nothing."""


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """Rows that became true together."""

    segment: int
    entries: tuple[Entry, ...]


class Journal:
    """An append-only log in a folder of its own.

    Args:
        folder: folder of the segments.
        create: whether to make the folder where it is missing; False where it is only read.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._lines = 0
        self._synced_at = 0.0
        self.segment = 0
        self.synced = True
        """Whether everything that was appended would survive a power cut."""
        self.damaged_lines = 0
        """Lines that could not be read back, the half-written last one not counted."""
        self.torn_bytes = 0
        """Length of the half-written last line."""
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise input_error(
                f"cannot create the folder: {error.strerror}", where=str(folder)
            ) from error

    def read(self, *, repair: bool = True) -> Iterator[Transaction]:
        """Yield every transaction so far, oldest first.

        Args:
            repair: whether to cut off a half-written last line; False while another process writes.
        """
        segments = sorted(self._folder.glob("*.jsonl"))
        self.damaged_lines = 0
        for path in segments:
            self.segment = int(path.stem)
            self._lines = 0
            good_bytes = 0
            content = path.read_bytes()
            for line in content.splitlines(keepends=True):
                entries = _decode(line)
                if entries is None:
                    if path == segments[-1] and good_bytes + len(line) == len(content):
                        self.torn_bytes = len(line)
                        if repair:
                            os.truncate(path, good_bytes)
                        break
                    self.damaged_lines += 1
                else:
                    yield Transaction(segment=self.segment, entries=entries)
                self._lines += 1
                good_bytes += len(line)

    def append(self, *entries: Entry) -> int:
        """Write one transaction; it survives the death of this process from here on.

        Returns:
            number of the segment that holds it.

        Raises:
            OSError: the disk is full or gone; what was written before stays readable.
        """
        if self._file is None or self._lines >= SEGMENT_LINES:
            self._open_segment()
        assert self._file is not None
        start = self._file.tell()
        line = _encode(entries)
        try:
            # A disk that is nearly full takes a part of the line, and calls that a success.
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.truncate(start)
            self._file.seek(start)
            raise
        self._lines += 1
        self.synced = False
        if time.monotonic() - self._synced_at > FSYNC_SECONDS:
            self.sync()
        return self.segment

    def sync(self) -> None:
        """Bring everything to disk, so that a power cut loses none of it."""
        if self._file is not None:
            os.fsync(self._file.fileno())
        self._synced_at = time.monotonic()
        self.synced = True

    def _open_segment(self) -> None:
        if self._lines >= SEGMENT_LINES:
            self.segment, self._lines = self.segment + 1, 0
        self.close()
        # Unbuffered: a write is in the operating system's hands when it returns.
        path = self._folder / f"{self.segment:06d}.jsonl"
        self._file = path.open("ab", buffering=0)

    def close(self) -> None:
        """Bring everything to disk and close the file."""
        if self._file is not None:
            self.sync()
            self._file.close()
            self._file = None


def read_from(
    folder: Path, place: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], tuple[Entry, ...]]]:
    """Yield what was written after a place, with the place after each; damaged lines are left out.

    For readers beside the driver: a line that is still being written is left for the next time.

    Args:
        folder: folder of the segments.
        place: number of a segment and an offset in it, `(0, 0)` for the beginning.
    """
    for path in sorted(folder.glob("*.jsonl")):
        number = int(path.stem)
        if number < place[0]:
            continue
        offset = place[1] if number == place[0] else 0
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                entries = _decode(line)
                if entries is not None:
                    yield (number, offset), entries


def journal_position(folder: Path) -> list[Any] | None:
    """Return name and size of a journal's last segment, None where there is none."""
    try:
        last = max(folder.glob("*.jsonl"), default=None)
        return None if last is None else [last.name, last.stat().st_size]
    except OSError:
        return None


def _encode(entries: tuple[Entry, ...]) -> bytes:
    body = json.dumps(entries, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> tuple[Entry, ...] | None:
    checksum, _, body = line.partition(b" ")
    if not body.endswith(b"\n"):
        return None
    body = body[:-1]
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    return tuple((table, row) for table, row in json.loads(body))
