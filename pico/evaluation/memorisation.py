"""How much of a text stands word for word in the training data: exact, over any number of tokens.

The training tokens are taken in pieces. Within a piece, its places are sorted by the tokens that
follow them, packed into one number; a text's tokens are found there by bisection, and the few
places that share them are followed as far as they agree. Memory is that of one piece, whatever the
size of the data; every text is looked up in one pass.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from picosweep.pico.data.prepared import TokenArray

PIECE: Final = 1 << 22
"""Places that are sorted at a time: about 100 MB while they are."""
_BITS: Final = 64

Longs = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


def longest_matches(
    training: TokenArray,
    texts: Sequence[Sequence[int]],
    *,
    piece: int = PIECE,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Ints]:
    """Return for every token of every text how many tokens from it on stand in the training data.

    Args:
        training: the tokens that a model was trained on.
        texts: token ids of each text.
        piece: places of the training data that are sorted at a time.
        progress: called with the share that is done.
    """
    lengths = [len(text) for text in texts]
    joined = np.array([token for text in texts for token in text], dtype=np.int64)
    ends = np.cumsum(lengths, dtype=np.int64)
    end_of = np.repeat(ends, lengths)
    best = np.zeros(len(joined), dtype=np.int64)
    packed = _BITS // (8 * training.dtype.itemsize)
    whole = max(0, len(training) - packed + 1)
    for start in range(0, whole, piece):
        progress(start / whole)
        _match_piece(training, start, min(piece, whole - start), joined, end_of, best)
    _match_tail(training[whole:], joined, end_of, best)
    return np.split(best, ends[:-1])


def _match_piece(
    training: TokenArray, start: int, length: int, joined: Ints, end_of: Ints, best: Ints
) -> None:
    """Lengthen `best` by what begins at `length` places of the training data."""
    packed = _BITS // (8 * training.dtype.itemsize)
    keys = _keys(training[start : start + length + packed - 1], length, packed)
    order = np.argsort(keys, kind="stable").astype(np.uint32)
    keys = keys[order]
    queries = _keys(joined, len(joined), packed)
    bits = np.uint64(_BITS // packed)
    low = high = np.zeros(len(joined), dtype=np.int64)
    left = end_of - np.arange(len(joined))
    for known in range(1, packed + 1):
        unknown = bits * np.uint64(packed - known)
        free = (np.uint64(1) << unknown) - np.uint64(1) if known < packed else np.uint64(0)
        low = np.searchsorted(keys, queries & ~free, side="left")
        high = np.searchsorted(keys, queries | free, side="right")
        np.maximum(best, np.where((high > low) & (left >= known), known, 0), out=best)
    for place in np.flatnonzero((high > low) & (left > best)):
        candidates = start + order[low[place] : high[place]].astype(np.int64)
        text = joined[place : end_of[place]]
        best[place] = max(best[place], _extend(training, candidates, text, packed))


def _match_tail(tail: TokenArray, joined: Ints, end_of: Ints, best: Ints) -> None:
    """Lengthen `best` by what begins at the last places, where too few tokens follow for a key."""
    places = np.arange(len(joined))
    for start in range(len(tail)):
        same = np.ones(len(joined), dtype=bool)
        for offset, token in enumerate(tail[start:]):
            inside = places + offset < end_of
            same &= inside
            same[inside] &= joined[places[inside] + offset] == token
            best[same] = np.maximum(best[same], offset + 1)


def _extend(training: TokenArray, candidates: Ints, text: Ints, length: int) -> int:
    """Return how far the best of some places agrees with a text; `length` tokens are known to."""
    while length < len(text):
        candidates = candidates[candidates + length < len(training)]
        candidates = candidates[training[candidates + length] == text[length]]
        if not len(candidates):
            break
        length += 1
    return length


def _keys(tokens: npt.NDArray[Any], length: int, packed: int) -> Longs:
    """Return for each place the tokens from it on as one number, the first ones highest."""
    bits = np.uint64(_BITS // packed)
    keys = np.zeros(length, dtype=np.uint64)
    for offset in range(packed):
        keys <<= bits
        part = tokens[offset : offset + length]
        keys[: len(part)] |= part.astype(np.uint64)
    return keys


def share_of_runs(matches: Sequence[Ints], run: int) -> float | None:
    """Return the share of runs of tokens that stand in the training data; None without any."""
    inside = [match[: len(match) - run + 1] >= run for match in matches if len(match) >= run]
    return float(np.concatenate(inside).mean()) if inside else None
