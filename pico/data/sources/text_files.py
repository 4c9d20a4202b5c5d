"""Text files as documents: articles, stories and paragraphs found by their own marks.

A long text must not become one document, or it could not be split into training and validation;
and it must not be cut in mid-paragraph where a better place is near.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from picosweep.pico.data.sources.formats import explaining, open_text, unreadable

END_OF_TEXT = "<|endoftext|>"

_CHUNK_CHARACTERS = 1 << 22
_SNIFF_CHARACTERS = 1 << 20
_SECTIONS_PER_SOURCE = 128
_SMALLEST_SECTION, _LARGEST_SECTION = 1 << 10, 1 << 16

_MARK = re.compile(re.escape(END_OF_TEXT))
# WikiText's level-one heading; deeper levels have ` = = `, so a second `=` must not follow.
_ARTICLE = re.compile(r"^(?= ?= [^=\n]+ = *$)", re.MULTILINE)


def read_chunks(path: Path, encoding: str) -> Iterator[str]:
    """Read a text file in pieces of at most 4 Mi characters, line ends as newlines.

    Raises:
        UnreadableFileError: it is damaged, of another encoding, no text, or not to be had.
    """
    with explaining(path, encoding), open_text(path, encoding) as file:
        while chunk := file.read(_CHUNK_CHARACTERS):
            if "\0" in chunk:
                raise unreadable(
                    "not text",
                    f"a NUL character in {path}",
                    "text; or the file's own data.encoding, such as utf-16",
                )
            yield chunk


def section_size(total_bytes: int) -> int:
    """Return after how many characters a long text may be cut: 1/128 of it, 1 Ki to 64 Ki."""
    return min(max(total_bytes // _SECTIONS_PER_SOURCE, _SMALLEST_SECTION), _LARGEST_SECTION)


def documents_of(
    path: Path, *, unit: str, section: int | None, encoding: str = "utf-8"
) -> Iterator[str]:
    """Yield the documents of one text file.

    Args:
        path: path of the file.
        unit: `line`, `file` or `auto`, as in `DataConfig.document_unit`.
        section: with `auto`, length in characters of the stretches that a text without marks is
            cut into, about; None keeps it whole.
        encoding: the file's encoding.
    """

    def pieces(split: Callable[[str], list[str]]) -> Iterator[str]:
        return _split_stream(read_chunks(path, encoding), split)

    if unit == "line":
        yield from pieces(lambda buffer: buffer.split("\n"))
        return
    if unit == "file":
        yield "".join(read_chunks(path, encoding))
        return
    head = next(read_chunks(path, encoding), "")[:_SNIFF_CHARACTERS]
    if sum(bool(part.strip()) for part in _MARK.split(head)) > 1:
        yield from pieces(_MARK.split)
    elif len(_ARTICLE.findall(head)) > 1:
        yield from pieces(_ARTICLE.split)
    elif section is None:
        yield "".join(read_chunks(path, encoding))
    else:
        yield from pieces(lambda buffer: _sections(buffer, section))


def _split_stream(chunks: Iterator[str], split: Callable[[str], list[str]]) -> Iterator[str]:
    """Apply `split` chunk by chunk; its last part waits for the text that may belong to it."""
    rest = ""
    for chunk in chunks:
        *whole, rest = split(rest + chunk)
        yield from whole
    yield rest


def _sections(text: str, size: int) -> list[str]:
    """Cut `text` after the first good place beyond each `size` characters.

    A good place is an empty line, or failing that within another `size` a line's end, a space, or
    the spot itself. The parts joined are the text.
    """
    parts = []
    start = 0
    while start + 2 * size < len(text):
        for mark in ("\n\n", "\n", " "):
            found = text.find(mark, start + size, start + 2 * size)
            if found >= 0:
                end = found + len(mark)
                break
        else:
            end = start + size
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return parts
