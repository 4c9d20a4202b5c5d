"""One split's tokens, written to disk a batch of documents at a time."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from picosweep.pico.data.prepared import Part, token_dtype
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer

_BATCH_CHARACTERS = 1 << 22
"""Documents are encoded together up to this many characters: it bounds the memory that is used."""


class TokenFile:
    """The files `<split>.bin` and `<split>_starts.bin` while they are being written."""

    def __init__(self, folder: Path, split: str, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._dtype = token_dtype(tokenizer.vocab_size)
        self._tokens_file = (folder / f"{split}.bin").open("wb")
        self._starts_file = (folder / f"{split}_starts.bin").open("wb")
        self._hash = hashlib.blake2b(digest_size=16)
        self._batch: list[str] = []
        self._batch_characters = 0
        self._part_tokens = 0
        self._part_starts = 0
        self.num_tokens = 0
        self.num_starts = 0
        self.num_characters = 0
        self.num_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tokens_file.close()
        self._starts_file.close()

    def add(self, text: str) -> None:
        """Append a document; a mark is written before it."""
        self._batch.append(text)
        self._batch_characters += len(text)
        if self._batch_characters >= _BATCH_CHARACTERS:
            self._write_batch()

    def end_part(self, name: str, weight: float) -> Part:
        """Write what is pending and the last mark of a source."""
        self._write_batch()
        self._append(
            np.array([self._tokenizer.end_of_text_id]), np.array([self.num_tokens], dtype=np.int64)
        )
        part = Part(
            name=name,
            weight=weight,
            first_token=self._part_tokens,
            end_token=self.num_tokens,
            first_start=self._part_starts,
            end_start=self.num_starts,
        )
        self._part_tokens, self._part_starts = self.num_tokens, self.num_starts
        return part

    def digest(self) -> str:
        """Return a hash of all that was written, documents' places included."""
        return self._hash.hexdigest()

    def _write_batch(self) -> None:
        if not self._batch:
            return
        ids, lengths = self._tokenizer.encode_documents(self._batch)
        ends = np.cumsum(lengths + 1)
        marks = ends - lengths - 1
        tokens = np.empty(int(ends[-1]), dtype=self._dtype)
        is_text = np.ones(len(tokens), dtype=bool)
        is_text[marks] = False
        tokens[is_text] = ids
        tokens[marks] = self._tokenizer.end_of_text_id
        self.num_characters += self._batch_characters
        self.num_bytes += sum(len(text.encode("utf-8", "replace")) for text in self._batch)
        self._append(tokens, marks + self.num_tokens)
        self._batch = []
        self._batch_characters = 0

    def _append(self, tokens: np.ndarray, starts: np.ndarray) -> None:
        for array, dtype, file in (
            (tokens, self._dtype, self._tokens_file),
            (starts, np.dtype("<i8"), self._starts_file),
        ):
            content = np.ascontiguousarray(array, dtype=dtype).data
            file.write(content)
            self._hash.update(content)
        self.num_tokens += len(tokens)
        self.num_starts += len(starts)
