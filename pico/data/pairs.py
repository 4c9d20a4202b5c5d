"""The user's own preference pairs: a prompt, a chosen and a rejected completion of it.

Prompt and completions are tokenised apart and joined, so that the seam between them is the same
for both members. All pairs of one prompt are on one side of the split.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.pico.data.prepared import PairSide, PreparedData, StoredPairs
from picosweep.pico.data.sources.formats import open_text
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.errors import FieldError, problem_in

FIELDS: Final = ("prompt", "chosen", "rejected")
_FIELD: Final = "preference.pairs"


@dataclass(frozen=True, kw_only=True)
class TextPair:
    """One pair as the user wrote it."""

    prompt: str
    chosen: str
    rejected: str


def read_pairs(path: Path) -> list[TextPair]:
    """Read a Parquet file, or one of JSON lines that may be compressed.

    Raises:
        FieldError: it cannot be read, has no pairs, or a row lacks a field; with file and row.
    """
    try:
        rows = _parquet(path) if path.suffix.lower() == ".parquet" else _json_lines(path)
        found = [_pair(path, number, row) for number, row in rows]
    except (OSError, EOFError, pa.ArrowInvalid, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FieldError(f"cannot be read: {why}", field=_FIELD, found=str(path)) from error
    if not found:
        raise FieldError("there are no pairs", field=_FIELD, found=str(path))
    return found


def _json_lines(path: Path) -> Iterator[tuple[int, object]]:
    with open_text(path, "utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise _bad_row(path, number, "no JSON") from error


def _parquet(path: Path) -> Iterator[tuple[int, object]]:
    number = 0
    for batch in pq.ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _pair(path: Path, number: int, row: object) -> TextPair:
    if not isinstance(row, dict):
        raise _bad_row(path, number, f"a {type(row).__name__}")
    for name in FIELDS:
        if not isinstance(row.get(name), str):
            raise _bad_row(path, number, f"no text in {name!r}")
    return TextPair(**{name: row[name] for name in FIELDS})


def _bad_row(path: Path, number: int, found: str) -> FieldError:
    return FieldError(
        "a row that is no pair",
        field=_FIELD,
        found=f"{found}, in {path}, row {number}",
        allowed="texts in prompt, chosen and rejected",
    )


def with_pairs(
    data: PreparedData, pairs: Iterable[TextPair], validation_fraction: float
) -> PreparedData:
    """Return prepared data with pairs beside it; its fingerprint says so.

    Args:
        data: the data whose tokenizer the model reads.
        pairs: the pairs.
        validation_fraction: share of prompts that validate.

    Raises:
        FieldError: no pair is left for training or validation, or the tokenizer cannot write one.
    """
    sides: dict[bool, list[npt.NDArray[np.int32]]] = {True: [], False: []}
    digest = hashlib.blake2b(f"{data.meta.fingerprint} {validation_fraction}".encode())
    num_dropped = 0
    for pair in pairs:
        digest.update(json.dumps([pair.prompt, pair.chosen, pair.rejected]).encode())
        members = _members(data.tokenizer, pair)
        if members is None:
            num_dropped += 1
        else:
            sides[_validates(pair.prompt, validation_fraction)] += members
    for validates, name in ((False, "training"), (True, "validation")):
        if not sides[validates]:
            raise FieldError(
                f"no pair is left for {name}",
                field=_FIELD,
                found=f"{num_dropped} pairs without tokens in a completion, and too few prompts "
                f"for a validation_fraction of {validation_fraction:g}",
            )
    return replace(
        data,
        meta=replace(data.meta, fingerprint=digest.hexdigest()[:32]),
        pairs=StoredPairs(
            train=_side(sides[False]), validation=_side(sides[True]), num_dropped=num_dropped
        ),
        folder=None,  # what lies there has no pairs: others get all of it out of memory
    )


def _members(tokenizer: Tokenizer, pair: TextPair) -> list[npt.NDArray[np.int32]] | None:
    """Return prompt, chosen and rejected tokens; None where a completion has none.

    A prompt begins with the mark before a document, a completion ends with the one after it.
    """
    end = tokenizer.end_of_text_id
    try:
        prompt, chosen, rejected = (
            tokenizer.encode(text) for text in (pair.prompt, pair.chosen, pair.rejected)
        )
    except ValueError as error:
        raise FieldError(
            f"the tokenizer cannot write a pair: {problem_in(error)}",
            field=_FIELD,
            found=repr(pair.prompt),
        ) from error
    if not chosen or not rejected:
        return None
    parts = ([end, *prompt], [*chosen, end], [*rejected, end])
    return [np.array(part, dtype=np.int32) for part in parts]


def _validates(prompt: str, fraction: float) -> bool:
    """Return on which side of the split a prompt is: by its text alone."""
    digest = hashlib.blake2b(prompt.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) < fraction * 2**64


def _side(members: list[npt.NDArray[np.int32]]) -> PairSide:
    return PairSide(
        tokens=np.concatenate(members),
        ends=np.cumsum([len(member) for member in members], dtype=np.int64),
    )
