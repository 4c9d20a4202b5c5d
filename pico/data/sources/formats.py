"""What a file is, by its name and its first bytes, and how it is opened."""

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, TextIO

from picosweep.pico.errors import FieldError

TEXT_SUFFIXES: Final = frozenset({"", ".txt", ".text", ".md", ".rst", ".py", ".tokens", ".raw"})
"""Suffixes of files that are text; of a folder these are read."""

RECORD_SUFFIXES: Final = frozenset({".jsonl", ".ndjson", ".parquet"})
"""Suffixes of files whose rows have a column with text; of a folder these are read."""

TABLE_SUFFIXES: Final = frozenset({".json", ".csv", ".tsv", ".arrow"})
"""Further ones with rows. In a folder of other data they are often settings or figures: they are
read where nothing else is there, or where they are asked for."""

_OPENERS: Final[dict[str, Callable[..., Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
COMPRESSIONS: Final = frozenset(_OPENERS)
"""Suffixes of compressed files that are read as what they hold."""

_MAGIC: Final = {
    b"\x1f\x8b": ("gzip", ".gz"),
    b"BZh": ("bzip2", ".bz2"),
    b"\xfd7zXZ\x00": ("xz", ".xz"),
    b"\x28\xb5\x2f\xfd": ("zstd", None),
    b"PK\x03\x04": ("zip", None),
    b"7z\xbc\xaf": ("7z", None),
    b"Rar!": ("rar", None),
    b"\x04\x22\x4d\x18": ("lz4", None),
}
"""First bytes of compressed files: the name of the method, and its suffix where it is read."""

_BYTE_ORDER_MARKS: Final = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


class UnreadableFileError(FieldError):
    """One file that cannot be read; `problem` says why in a few words."""


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """How a file is to be read."""

    suffix: str
    """Suffix of what it holds, in small letters."""

    compression: str | None
    """Suffix of the compression around it."""

    @classmethod
    def of(cls, path: Path) -> "FileKind":
        """Tell a file's kind from its name."""
        suffix = path.suffix.lower()
        if suffix not in COMPRESSIONS:
            return cls(suffix=suffix, compression=None)
        return cls(suffix=Path(path.stem).suffix.lower(), compression=suffix)

    @property
    def is_rows(self) -> bool:
        """Whether it holds rows with a column of text, rather than text."""
        return self.suffix in RECORD_SUFFIXES | TABLE_SUFFIXES


def open_text(path: Path, encoding: str) -> TextIO:
    """Open a file, compressed or not, as text with line ends as newlines.

    Raises:
        OSError: it cannot be opened. Reading raises what `explaining` explains.
    """
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        return path.open(encoding=encoding)
    return TextIOWrapper(opener(path, "rb"), encoding=encoding)


LEAVE_OUT: Final = "data.skip_unreadable: true leaves such files of a folder out"
"""The way on from a file that cannot be read."""


def unreadable(problem: str, found: str, allowed: str | None = None) -> UnreadableFileError:
    """Return the error for a file that cannot be read, whatever else is set."""
    return UnreadableFileError(problem, field="data.source", found=found, allowed=allowed)


@contextmanager
def explaining(path: Path, encoding: str) -> Iterator[None]:
    """Turn what the reading of a file raises into an error that names the file and the ways on.

    Raises:
        UnreadableFileError: the file is damaged, compressed, of another encoding, or not to be had.
    """
    try:
        yield
    except UnicodeError as error:
        raise _wrong_encoding(path, encoding, error) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise unreadable("damaged", f"{path}: {error}", LEAVE_OUT) from None
    except OSError as error:
        raise unreadable(
            "cannot be read", f"{path}: {error.strerror or error}", LEAVE_OUT
        ) from None


def _wrong_encoding(path: Path, encoding: str, error: UnicodeError) -> UnreadableFileError:
    # What a compressed file holds has no marks at the file's own beginning.
    head = b"" if FileKind.of(path).compression else _head(path)
    for mark, (method, suffix) in _MAGIC.items():
        if head.startswith(mark):
            way = f"its name with {suffix} at the end" if suffix else "unpack it first"
            return unreadable("compressed, and its name does not say so", f"{path} ({method})", way)
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    if isinstance(error, UnicodeDecodeError):
        found = f"byte 0x{error.object[error.start]:02x} in {path}"
    else:
        found = f"{path}: {error}"
    return unreadable(
        f"not {encoding.upper()} text",
        found,
        f"the file's own data.encoding, such as {marked or 'latin-1'}; or {LEAVE_OUT}",
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError:
        return b""
