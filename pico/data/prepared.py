"""Tokens ready for training: two flat arrays, what they mean, and the tokenizer that made them."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from picosweep.pico.data.sources.source import FilesRead
from picosweep.pico.data.tokenizers.registry import tokenizer_from_json
from picosweep.pico.data.tokenizers.tokenizer import IntArray, Tokenizer, text_fingerprint

TokenArray = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One source's documents in one split.

    Their tokens are `end_of_text document end_of_text document … end_of_text`.
    """

    name: str
    """The source as the user wrote it."""

    weight: float
    """Its share of the split's rows; a split's shares add up to 1."""

    first_token: int
    """Index of the mark before the first document."""

    end_token: int
    """Index after the mark that ends the last document."""

    first_start: int
    """Index in the split's `starts` of the first document's entry."""

    end_start: int
    """Index after the entry of the last mark: there is one entry more than documents."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens, marks included."""
        return self.end_token - self.first_token

    @property
    def num_documents(self) -> int:
        """Number of documents."""
        return self.end_start - self.first_start - 1


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What is known about prepared data, as `meta.json` stores it."""

    version: int
    """Version of the layout and of the code that makes it."""

    fingerprint: str
    """Hash of everything that changes what a training step sees."""

    tokenizer_fingerprint: str
    """Hash of everything that changes how text is encoded."""

    tokenizer_kind: str
    """`bpe`, `char`, `int` or `gpt2`."""

    vocab_size: int
    """Number of token ids: what a model's last layer must have."""

    end_of_text_id: int
    """The id before, between and after documents."""

    mode: str
    """`contiguous`, `packed` or `padded`."""

    context_tokens: int
    """First tokens of a document that carry no loss."""

    predict_end: bool
    """Whether a document's end is scored."""

    train_tokens: int
    """Length of the training array."""

    validation_tokens: int
    """Length of the validation array."""

    num_documents: int
    """Documents in both parts."""

    num_validation_documents: int
    """Documents in the validation part."""

    num_characters: int
    """Characters of the text in both parts."""

    num_bytes: int
    """UTF-8 bytes of the text in both parts."""

    characters_per_token: float
    """Mean over both parts, marks between documents not counted."""

    source: str
    """Description of the source or the mixture."""

    train_parts: tuple[Part, ...]
    """Where each source lies in the training tokens, sorted by name."""

    validation_parts: tuple[Part, ...]
    """Where each source lies in the validation tokens."""

    files: dict[str, FilesRead] = field(default_factory=dict)
    """By name of each source that has files, which were read and which were not."""

    def to_json(self) -> str:
        """Return the content of `meta.json`."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Meta":
        """Read what `to_json` wrote."""
        values = json.loads(text)
        for key in ("train_parts", "validation_parts"):
            values[key] = tuple(Part(**part) for part in values[key])
        files = values.get("files", {}).items()
        values["files"] = {name: FilesRead.from_plain(one) for name, one in files}
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class PairSide:
    """Preference pairs of one side of the split: prompt, chosen, rejected, and so on."""

    tokens: npt.NDArray[np.int32]
    """All of them, one after another."""

    ends: IntArray
    """Index after the last token of each, three a pair."""


@dataclass(frozen=True, kw_only=True)
class StoredPairs:
    """The user's own preference pairs."""

    train: PairSide
    validation: PairSide
    num_dropped: int
    """Pairs of which a completion has no token."""


@dataclass(frozen=True, kw_only=True)
class PreparedData:
    """Training and validation tokens with what is needed to use them.

    Pickles as plain arrays and strings, so that an object store can share the arrays without a
    copy; no file is needed afterwards.
    """

    meta: Meta
    """Sizes, fingerprints and where each source's part lies."""

    train: TokenArray
    """Training tokens, one after another; often a view of a memory-mapped file."""

    validation: TokenArray
    """Validation tokens, one after another."""

    train_starts: IntArray
    """Index in `train` of the mark before each document, and of each source's last mark."""

    validation_starts: IntArray
    """The same for `validation`."""

    tokenizer_json: str
    """The content of `tokenizer.json`."""

    folder: Path | None = None
    """Where it lies on this machine's disk, for other processes to open."""

    pairs: StoredPairs | None = None
    """The user's own preference pairs; None where there are none."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Text to ids and back."""
        return tokenizer_from_json(self.tokenizer_json)

    @cached_property
    def token_bytes(self) -> IntArray:
        """UTF-8 bytes each id stands for, shape `[vocab_size]`; 0 for marks."""
        return self.tokenizer.token_bytes()

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone, without what was derived from them."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @classmethod
    def open(cls, folder: Path) -> "PreparedData":
        """Open what `prepare` wrote; the tokens stay on disk until they are used.

        Raises:
            OSError: a file is missing.
            ValueError: a file is damaged.
            KeyError: `meta.json` lacks the parts, as one of another version may.
            TypeError: `meta.json` has other fields, as one of another version may.
        """
        meta = Meta.from_json((folder / "meta.json").read_text(encoding="utf-8"))
        dtype = token_dtype(meta.vocab_size)
        arrays: dict[str, Any] = {}
        for name, num_tokens, parts in (
            ("train", meta.train_tokens, meta.train_parts),
            ("validation", meta.validation_tokens, meta.validation_parts),
        ):
            arrays[name] = _map(folder / f"{name}.bin", dtype, num_tokens)
            arrays[f"{name}_starts"] = _map(
                folder / f"{name}_starts.bin", np.dtype("<i8"), parts[-1].end_start
            )
        tokenizer_json = (folder / "tokenizer.json").read_text(encoding="utf-8")
        if text_fingerprint(tokenizer_json) != meta.tokenizer_fingerprint:
            raise ValueError(f"{folder / 'tokenizer.json'} is not the one that was written there")
        return cls(meta=meta, tokenizer_json=tokenizer_json, folder=folder, **arrays)


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the type of a stored token: two bytes where they suffice, otherwise four."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


def _map(path: Path, dtype: np.dtype[Any], length: int) -> npt.NDArray[Any]:
    if path.stat().st_size != length * dtype.itemsize:
        raise ValueError(f"{path} is damaged: {path.stat().st_size} bytes for {length} entries")
    # As a plain array: a memmap object would not pickle out of band.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", shape=(length,)))
