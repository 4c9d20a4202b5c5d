"""A source's documents as they are used: not empty, within the limits, read once where they fit."""

from array import array
from collections.abc import Callable, Iterator

import numpy as np

from picosweep.pico.data.preparation.split import Scan, content_hash
from picosweep.pico.errors import FieldError

_KEPT_CHARACTERS = 1 << 26
"""Texts up to this many characters are kept in memory between the passes over them."""


class Corpus:
    """The documents of one source, or of its own validation part."""

    def __init__(
        self,
        documents: Callable[[], Iterator[str]],
        description: str,
        *,
        max_documents: int | None,
        max_bytes: int | None,
    ) -> None:
        self._documents = documents
        self._description = description
        self._max_documents = max_documents
        self._max_bytes = max_bytes
        self._kept: list[str] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept) if self._kept is not None else self._read()

    def _read(self) -> Iterator[str]:
        num_documents = 0
        num_bytes = 0
        for text in self._documents():
            if not text or text.isspace():
                continue
            yield text
            num_documents += 1
            if num_documents == self._max_documents:
                return
            if self._max_bytes is not None:
                num_bytes += len(text.encode("utf-8", "replace"))
                if num_bytes >= self._max_bytes:
                    return

    def scan(self, seed: int) -> Scan:
        """Hash and measure every document, and keep the texts in memory where they fit.

        Raises:
            FieldError: there is no document.
        """
        hashes = array("Q")
        sizes = array("q")
        kept: list[str] | None = []
        num_characters = 0
        for text in self._read():
            hashes.append(content_hash(text, seed))
            sizes.append(len(text))
            num_characters += len(text)
            if kept is not None:
                kept.append(text)
                if num_characters > _KEPT_CHARACTERS:
                    kept = None
        if not hashes:
            raise FieldError("holds no text", field="data.source", found=self._description)
        self._kept = kept
        return Scan(
            hashes=np.frombuffer(hashes, dtype=np.uint64),
            sizes=np.frombuffer(sizes, dtype=np.int64),
        )
