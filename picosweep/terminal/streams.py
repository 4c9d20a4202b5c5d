"""Standard output and error as commands find them: closed, narrow in characters, or gone midway."""

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Final, TextIO

WRITTEN_AS: Final = {
    "±": "+/-",
    "×": "x",
    "…": "...",
    "∞": "inf",
    "–": "-",
    "—": "-",
    "−": "-",
    "·": ".",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "→": "->",
}
"""For an encoding that has not got the character."""

READER_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO})
"""Nobody reads any more: the pipe's other end is closed, the terminal hung up."""

_ERRORS: Final = {1: "picosweep.replacing", 2: "picosweep.escaping"}
"""What becomes of such a character, by file descriptor: a message must say what was found."""


def prepare_streams() -> None:
    """Make the standard streams such that no output can end a command.

    A character that the encoding has not got is replaced. Where nobody reads any more, or the disk
    under a redirected output is full, the rest goes nowhere and the command does its work;
    `failure` says so at the end. Closed descriptors are opened onto nothing: the next file opened
    would take the number, and what is printed would land in it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    codecs.register_error(_ERRORS[1], _replace)
    codecs.register_error(_ERRORS[2], _escape)
    sys.stdout = _endure(sys.stdout, 1)
    sys.stderr = _endure(sys.stderr, 2)


def failure(stream: TextIO) -> str:
    """Return why part of what was printed is lost, where somebody may want it; empty if none."""
    with contextlib.suppress(ValueError):  # closed
        stream.flush()
    return stream.failure if isinstance(stream, EnduringStream) else ""


class EnduringStream(io.TextIOWrapper):
    """A stream that goes on after its reader is gone."""

    failure = ""

    def write(self, text: str, /) -> int:
        """Write a text, or lose it."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if error.errno not in READER_GONE:
            self.failure = error.strerror or str(error)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # what is still buffered goes there, too
        os.close(nowhere)


def _endure(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:
        return EnduringStream(open(descriptor, "wb", closefd=False), "utf-8")
    if type(stream) is not io.TextIOWrapper:
        return stream  # somebody's own, as in a test
    encoding, in_lines = stream.encoding, stream.line_buffering
    errors = _ERRORS[descriptor]
    return EnduringStream(stream.detach(), encoding, errors, line_buffering=in_lines)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding has not got by what it has: `±` as `+/-`, a letter as `?`."""
    return _written(error, lambda character: "?")


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Write what an encoding has not got: `±` as `+/-`, a letter of the user's as `\xe9`."""
    return _written(error, lambda character: ascii(character)[1:-1])


def _written(error: UnicodeError, other: Callable[[str], str]) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(WRITTEN_AS.get(one) or other(one) for one in lost), error.end


def say(text: str) -> None:
    """Say something beside the output."""
    sys.stderr.write(f"{text}\n")
