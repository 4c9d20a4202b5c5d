"""Whether a tokenizer does its work: text comes back unchanged, and its ids are in use.

A sign of a broken tokenizer is spacing that was not there: "O n ce upon a time" decoded from
tokens that were joined with blanks. It is counted by comparing words, not by looking for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from picosweep.pico.data.prepared import Part, PreparedData
from picosweep.pico.data.tokenizers.byte_bpe import ByteBPE
from picosweep.pico.data.tokenizers.tokenizer import IntArray, Tokenizer

PROBES = (
    "Once upon a time, there was a little girl named Lily.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius**2\n",
    "naïve café, ångström; 東京, 🙂!",
    "  two leading blanks,\ttabs,\n\n\nempty lines and a trailing blank ",
)
"""Texts a byte-level tokenizer must give back whatever it was trained on."""

_MAX_SAMPLE_DOCUMENTS = 200


@dataclass(frozen=True, kw_only=True)
class TokenizerQuality:
    """What was measured on the texts of one check."""

    kind: str
    """Kind of tokenizer."""

    vocab_size: int
    """Number of token ids."""

    num_texts: int
    """Texts encoded and decoded, probes included."""

    num_round_trips: int
    """Texts that came back unchanged."""

    num_broken_words: int
    """Words of the texts that came back in pieces or joined to others, as in "O n ce"."""

    characters_per_token: float
    """Mean over the texts, probes left out."""

    bytes_per_token: float
    """Mean over the texts, probes left out."""

    used_fraction: float
    """Share of the ids that occur in the texts, probes left out."""


def check_tokenizer(
    tokenizer: Tokenizer, texts: Iterable[str], *, probes: Sequence[str] = ()
) -> TokenizerQuality:
    """Encode and decode texts, and count what came back changed.

    Args:
        tokenizer: tokenizer to check.
        texts: texts of the kind that it is for.
        probes: further texts to give back, which do not count in figures about tokens and ids.

    Raises:
        ValueError: all texts are empty, or there are none.
    """
    texts = list(texts)
    if not any(texts):
        raise ValueError("a tokenizer is checked on at least one text that is not empty")
    encoded = [tokenizer.encode(text) for text in texts]
    decoded = [tokenizer.decode(ids) for ids in encoded]
    num_tokens = max(1, sum(map(len, encoded)))
    sent = [*texts, *probes]
    decoded += [tokenizer.decode(tokenizer.encode(text)) for text in probes]
    return TokenizerQuality(
        kind=tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        num_texts=len(sent),
        num_round_trips=sum(map(str.__eq__, sent, decoded)),
        num_broken_words=sum(map(_broken_words, sent, decoded)),
        characters_per_token=sum(map(len, texts)) / num_tokens,
        bytes_per_token=sum(len(text.encode("utf-8", "replace")) for text in texts) / num_tokens,
        used_fraction=len(set(chain.from_iterable(encoded))) / tokenizer.vocab_size,
    )


def _broken_words(text: str, decoded: str) -> int:
    """Count the words of `text` that have other blanks in or around them in `decoded`."""
    return len(_word_spans(text) - _word_spans(decoded))


def _word_spans(text: str) -> set[tuple[int, int]]:
    """Return where each word begins and ends when blanks are not counted."""
    lengths = np.fromiter(map(len, text.split()), dtype=np.int64)
    ends = np.cumsum(lengths)
    return set(zip((ends - lengths).tolist(), ends.tolist(), strict=True))


def check_prepared(data: PreparedData) -> TokenizerQuality:
    """Check the tokenizer of prepared data on validation documents, taken evenly.

    The documents are decoded from the stored tokens, so this also proves that what lies on disk
    is text that encodes to itself.
    """
    texts = chain.from_iterable(_documents(data, part) for part in data.meta.validation_parts)
    probes = PROBES if isinstance(data.tokenizer, ByteBPE) else ()
    return check_tokenizer(data.tokenizer, islice(texts, _MAX_SAMPLE_DOCUMENTS), probes=probes)


def _documents(data: PreparedData, part: Part) -> Iterable[str]:
    starts: IntArray = data.validation_starts[part.first_start : part.end_start]
    every = max(1, part.num_documents * len(data.meta.validation_parts) // _MAX_SAMPLE_DOCUMENTS)
    for index in range(0, part.num_documents, every):
        ids: Sequence[int] = data.validation[starts[index] + 1 : starts[index + 1]].tolist()
        yield data.tokenizer.decode(ids)
