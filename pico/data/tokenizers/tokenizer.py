"""What every tokenizer can do, and the vocabularies that are plain lists of strings."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from picosweep.pico.data.sources.text_files import END_OF_TEXT
from picosweep.pico.errors import FieldError

IntArray = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
UNKNOWN_CHARACTER = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(ABC):
    """Text to token ids and back."""

    kind: ClassVar[str]
    separator: ClassVar[str] = ""
    """What stands between two texts that are decoded one after the other."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids; they run from 0."""

    @property
    @abstractmethod
    def end_of_text_id(self) -> int:
        """The id that stands before, between and after documents."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; the characters of `<|endoftext|>` in it are ordinary text."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`."""

    @abstractmethod
    def encode_documents(self, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Encode many texts at once.

        Returns:
            all ids one after another, and the number of ids of each text.
        """

    @abstractmethod
    def token_bytes(self) -> IntArray:
        """Return the UTF-8 bytes that each id stands for, shape `[vocab_size]`; 0 for marks.

        With it a loss in nats per token becomes bits per byte, which compare across tokenizers.
        """

    @abstractmethod
    def to_json(self) -> str:
        """Return the content of `tokenizer.json`."""

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that decides how this tokenizer encodes."""
        return text_fingerprint(self.to_json())


def text_fingerprint(tokenizer_json: str) -> str:
    """Return a hash of the content of a `tokenizer.json`."""
    return hashlib.blake2b(tokenizer_json.encode(), digest_size=16).hexdigest()


class ListTokenizer(Tokenizer):
    """A vocabulary that is a list: `<|endoftext|>`, `<unk>`, then what the training part holds."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)

    @property
    def vocab_size(self) -> int:
        """Length of the list."""
        return len(self.vocabulary)

    @property
    def end_of_text_id(self) -> int:
        """The list's first entry."""
        return 0

    @property
    def unknown_id(self) -> int:
        """The id of whatever the training part did not hold."""
        return 1

    def to_json(self) -> str:
        """Return the kind and the list as JSON."""
        return json.dumps({"kind": self.kind, "vocabulary": self.vocabulary}, ensure_ascii=False)


class CharacterTokenizer(ListTokenizer):
    """One id per character."""

    kind = "char"

    @classmethod
    def train(cls, texts: Iterable[str]) -> "CharacterTokenizer":
        """Give an id to every character in `texts`, in the order of their code points."""
        characters: set[str] = set()
        for text in texts:
            characters.update(text)
        return cls((END_OF_TEXT, UNKNOWN, *sorted(characters)))

    @cached_property
    def _id_of_code_point(self) -> IntArray:
        code_points = [ord(character) for character in self.vocabulary[2:]]
        # One spare entry at the end: every larger code point is clipped to it and unknown.
        table = np.full(max(code_points, default=0) + 2, self.unknown_id, dtype=np.int64)
        table[code_points] = np.arange(2, self.vocab_size)
        return table

    def encode(self, text: str) -> list[int]:
        """Return one id per character."""
        ids: list[int] = self._ids(text).tolist()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the characters of `ids`; unknown ones become a replacement character."""
        return "".join(
            UNKNOWN_CHARACTER if token == self.unknown_id else self.vocabulary[token]
            for token in ids
        )

    def encode_documents(self, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Return all ids one after another, and the number of ids of each text."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        return self._ids("".join(texts)), lengths

    def _ids(self, text: str) -> IntArray:
        table = self._id_of_code_point
        # A lone surrogate, which broken JSON escapes can hold, is a code point like any other.
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ids: IntArray = table[np.minimum(code_points, len(table) - 1)]
        return ids

    def token_bytes(self) -> IntArray:
        """Return the bytes of each character, shape `[vocab_size]`; 0 for the mark."""
        sizes = [len(character.encode("utf-8", "surrogatepass")) for character in self.vocabulary]
        # An unknown character is at least one byte; counting no more never lowers bits per byte.
        sizes[:2] = [0, 1]
        return np.array(sizes, dtype=np.int64)


class IntegerTokenizer(ListTokenizer):
    """One id per whole number; numbers are separated by spaces, commas or line ends."""

    kind = "int"
    separator = " "

    @classmethod
    def train(cls, texts: Iterable[str]) -> "IntegerTokenizer":
        """Give an id to every number in `texts`, smallest first."""
        words: set[str] = set()
        for text in texts:
            words.update(_number_words(text))
        numbers = sorted({_number(word) for word in words})
        return cls((END_OF_TEXT, UNKNOWN, *map(str, numbers)))

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: token for token, word in enumerate(self.vocabulary)}

    def encode(self, text: str) -> list[int]:
        """Return one id per number."""
        ids = self._id_of
        return [
            ids[word] if word in ids else self._unfamiliar(word) for word in _number_words(text)
        ]

    def _unfamiliar(self, word: str) -> int:
        """Return the id of a number written in another way (`+7`, `007`), or of one never seen."""
        if word == UNKNOWN_CHARACTER:
            return self.unknown_id
        return self._id_of.get(str(_number(word)), self.unknown_id)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the numbers of `ids` between spaces; unknown ones as a replacement character."""
        return " ".join(
            UNKNOWN_CHARACTER if token == self.unknown_id else self.vocabulary[token]
            for token in ids
        )

    def encode_documents(self, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Return all ids one after another, and the number of ids of each text."""
        rows = [self.encode(text) for text in texts]
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        flat = (token for row in rows for token in row)
        return np.fromiter(flat, dtype=np.int64, count=int(lengths.sum())), lengths

    def token_bytes(self) -> IntArray:
        """Return the bytes of each number and its separator, shape `[vocab_size]`; 0 for a mark."""
        sizes = [len(word) + 1 for word in self.vocabulary]  # the separator belongs to its number
        sizes[:2] = [0, 2]
        return np.array(sizes, dtype=np.int64)


def _number_words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise FieldError(
            "the 'int' tokenizer reads whole numbers only",
            field="data.tokenizer.kind",
            found=repr(word[:40]),
            allowed="numbers separated by spaces, commas or line ends; or 'bpe' or 'char'",
        ) from None
