"""A look at data that nobody has described yet: what it is, how much, and in which tokens."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.sources.registry import open_source
from picosweep.pico.data.sources.source import FilesRead
from picosweep.pico.data.tokenizers.byte_bpe import train_bpe
from picosweep.pico.errors import FieldError
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.spec.document import Document, problem_of

LOOK_BYTES: Final = 64 * 2**20
"""Text that is read; what lies beyond is not counted."""
SAMPLE_BYTES: Final = 2**20
"""Text on which tokenizers are tried."""
VOCAB_SIZES: Final = (1024, 2048, 4096)
LISTS: Final = frozenset({"", ".txt", ".text"})
"""Suffixes of files that may be lists."""
LEAST_LINES: Final = 50
SHORT_LINE: Final = 40
"""Characters."""
_NUMBERS: Final = re.compile(r"\s*\d+(\s+\d+)+\s*")
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a source holds."""

    source: str
    description: str
    files: FilesRead | None
    documents: int
    characters: int
    num_bytes: int
    is_whole: bool
    """Whether all of it was read: no more than 64 MiB is looked at."""
    has_validation: bool
    """Whether files are named as the validation part."""
    is_numbers: bool
    """Whether every document is a sequence of whole numbers."""
    is_lines: bool
    """Whether every line is a document of its own: names, words, sequences."""
    tokens: dict[str, int]
    """How many tokens it has by tokenizer: `char`, `int` or `bpe 1024` and so on, of which a
    sample was counted."""
    longest: int
    """Of its longest document: the words of numbers, the characters of others."""
    opening: str
    """The word that most documents begin with; of a list the letter."""


def look_at(source: str, *, text_field: str = "text", downloads: Path) -> Look:
    """Read a source and say what it holds.

    Args:
        source: what `data.source` of a spec can be.
        text_field: where the text is in a record.
        downloads: folder for what comes over a network.

    Raises:
        InputError: there is no such source, or nothing in it can be read.
    """
    try:
        config = DataConfig(source=source, text_field=text_field)
        if _has_short_lines(Path(source)):
            config = replace(config, mode="padded", document_unit="line")
        return _look_at(source, config, downloads)
    except FieldError as error:
        nowhere = Document(path=Path(source), content={}, lines={})
        problem = problem_of(error, nowhere)  # there is no spec yet, in which it would stand
        key = error.field.removeprefix("data.")
        raise InputError(replace(problem, where="", key=key)) from error


def _has_short_lines(path: Path) -> bool:
    """Return whether a file is a list: many short lines, none empty, none that ends a sentence."""
    if not path.is_file() or path.suffix not in LISTS:
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\n") for line in itertools.islice(file, 1000)]
    if len(lines) < LEAST_LINES:
        return False
    numbers = all(_NUMBERS.fullmatch(line) for line in lines)
    short = all(line.strip() and len(line) <= SHORT_LINE for line in lines)
    return numbers or (short and not any(line.endswith((".", ",", ";", ":")) for line in lines))


def _look_at(name: str, config: DataConfig, downloads: Path) -> Look:
    source = open_source(name, config, downloads)
    validation = source.validation
    reading = itertools.chain(source.documents(), validation() if validation else ())
    texts: list[str] = []
    num_bytes = 0
    is_whole = True
    for text in reading:
        if not text or text.isspace():
            continue
        texts.append(text)
        num_bytes += len(text.encode("utf-8", "replace"))
        if num_bytes >= LOOK_BYTES:
            is_whole = next(reading, None) is None
            break
    if not texts:
        raise FieldError("holds no text", field="data.source", found=name)
    is_numbers = all(_NUMBERS.fullmatch(text) for text in texts)
    return Look(
        source=name,
        description=source.description,
        files=None if source.files is None else source.files(),
        documents=len(texts),
        characters=sum(map(len, texts)),
        num_bytes=num_bytes,
        is_whole=is_whole,
        has_validation=validation is not None,
        is_numbers=is_numbers,
        is_lines=config.document_unit == "line",
        tokens=_tokens(texts, num_bytes, is_numbers=is_numbers),
        longest=max(len(text.split()) if is_numbers else len(text) for text in texts),
        opening=_opening(texts, one_letter=config.document_unit == "line"),
    )


def _tokens(texts: list[str], num_bytes: int, *, is_numbers: bool) -> dict[str, int]:
    if is_numbers:
        return {"int": sum(len(text.split()) for text in texts)}
    found = {"char": sum(map(len, texts))}
    sample = list(_sample(texts, num_bytes))
    size = sum(len(text.encode("utf-8", "replace")) for text in sample)
    for vocab_size in VOCAB_SIZES:
        tokenizer = train_bpe(sample, vocab_size)
        counted = sum(len(tokenizer.encode(text)) for text in sample)
        found[f"bpe {vocab_size}"] = round(counted * num_bytes / size)
    return found


def _sample(texts: list[str], num_bytes: int) -> Iterator[str]:
    """Yield documents, or beginnings of them, taken evenly from all, of a MiB in all."""
    every = max(1, num_bytes // SAMPLE_BYTES)
    if len(texts) >= 64:
        yield from texts[::every]
    else:
        yield from (text[: len(text) // every + 1] for text in texts)


def _opening(texts: list[str], *, one_letter: bool) -> str:
    """Return the word that most documents begin with; the most frequent one where few share it.

    Of a list it is the letter.
    """
    if one_letter:
        ((letter, _),) = Counter(text[0] for text in texts).most_common(1)
        return letter
    first = Counter(found[0] for text in texts[:10_000] if (found := _WORD.search(text)))
    if not first:
        return ""
    ((word, times),) = first.most_common(1)
    if times == 1:
        every: Counter[str] = Counter(
            itertools.chain.from_iterable(map(_WORD.findall, texts[:100]))
        )
        ((word, _),) = every.most_common(1)
    return word
