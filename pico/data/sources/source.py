"""What a source of documents is: something that can be read repeatedly, always in one order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Files of a folder that were not read, for one reason."""

    reason: str
    """Why, in a few words."""

    files: Mapping[str, int]
    """How many, by suffix; a folder by its name."""

    example: str
    """One of them, relative to the folder."""


def _counted(files: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {suffix}" for suffix, number in files.items()) or "nothing"


@dataclass(frozen=True, kw_only=True)
class FilesRead:
    """Which files of a source were read for what, and which were not."""

    training: Mapping[str, int] = field(default_factory=dict)
    """By suffix, how many files the training documents came from; where `validation` is empty, the
    validation documents came from them, too."""

    validation: Mapping[str, int] = field(default_factory=dict)
    """By suffix, how many files their names gave to the validation part."""

    left_out: Sequence[LeftOut] = ()
    """What was not read."""

    def told(self, name: str) -> str:
        """Say in a sentence what was read of the source called `name`, and what was not."""
        text = f"From {name!r} was read: {_counted(self.training)}"
        if self.validation:
            text += f" to train on and {_counted(self.validation)} to validate, by their names"
        left_out = [f"{_counted(o.files)} ({o.reason}; such as {o.example})" for o in self.left_out]
        return f"{text}; left out: {'; '.join(left_out)}." if left_out else f"{text}."

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "FilesRead":
        """Rebuild from what `dataclasses.asdict` made of it."""
        return cls(**{**values, "left_out": tuple(LeftOut(**one) for one in values["left_out"])})


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

    validation: Callable[[], Iterator[str]] | None = None
    """The same for documents that are the validation part, where the source says which are."""

    files: Callable[[], FilesRead] | None = None
    """Which files were read: to be asked after the reading. None: the source has no files."""


def files_signature(root: Path, paths: Sequence[Path]) -> tuple[object, ...]:
    """Return name, size and modification time of every file: it changes when any is edited."""
    rows = []
    for path in paths:
        facts = path.stat()
        name = path.relative_to(root).as_posix() if path != root else path.name
        rows.append([name, facts.st_size, facts.st_mtime_ns])
    return (str(root), rows)


def short_name(source: str) -> str:
    """Return a source as pages name it: of a file or folder its own name, not where it lies."""
    return source if source.startswith("hf:") else source.rstrip("/").rpartition("/")[2] or source
