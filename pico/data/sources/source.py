"""What a source of documents is: something that can be read repeatedly, always in one order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Source:
    """Documents to read.

    `documents()` gives the same texts in the same order each time it is called; `signature` is
    cheap to make and changes when the documents do.
    """

    description: str
    """What it is, for people."""

    signature: tuple[object, ...]
    """Plain JSON values that identify the content: it keys the cache of prepared data."""

    documents: Callable[[], Iterator[str]]
    """Function that starts reading from the first document."""


def files_signature(root: Path, paths: list[Path]) -> tuple[object, ...]:
    """Return name, size and modification time of every file: it changes when any is edited."""
    rows = []
    for path in paths:
        facts = path.stat()
        name = path.relative_to(root).as_posix() if path != root else path.name
        rows.append([name, facts.st_size, facts.st_mtime_ns])
    return (str(root), rows)
