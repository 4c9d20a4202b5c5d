"""Random choices that are pure functions of their inputs: no state to keep, save or restore.

A row of training data is looked up as (seed, source, epoch, place in the epoch), so a run resumes
at any step and no permutation of a large data set is ever held in memory.
"""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_ROUNDS = 8


def mix(values: KeyArray) -> KeyArray:
    """Scatter 64-bit numbers: neighbouring inputs give unrelated outputs.

    Source: the output function of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014).
    """
    with np.errstate(over="ignore"):
        mixed = values + _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    return mixed ^ (mixed >> np.uint64(31))


def keys(seed: int, stream: int, epochs: IntArray) -> KeyArray:
    """Return one key for each epoch of one stream of random choices."""
    start = mix(mix(np.array([seed % 2**64], dtype=np.uint64)) + np.uint64(stream))
    with np.errstate(over="ignore"):
        return mix(start + epochs.astype(np.uint64))


def shuffled(places: IntArray, size: int, epoch_keys: KeyArray) -> IntArray:
    """Return element `places[i]` of the permutation of `range(size)` that `epoch_keys[i]` names.

    For one key, different places give different elements. Rounds of invertible steps permute the
    next power of two; a result beyond `size` goes through them again until it is inside, which
    keeps the mapping one to one.

    Args:
        places: positions in a permutation, each in `range(size)`.
        size: number of elements that are permuted, at least 1.
        epoch_keys: one key for each place; it chooses the permutation.
    """
    bits = max(2, (size - 1).bit_length())
    mask = np.uint64(2**bits - 1)
    half = np.uint64((bits + 1) // 2)
    round_keys = [mix(epoch_keys + np.uint64(number)) for number in range(_ROUNDS)]
    values = places.astype(np.uint64)
    outside = np.arange(len(values))
    while len(outside):
        moving = values[outside]
        for number, key in enumerate(round_keys):
            with np.errstate(over="ignore"):
                moving = (moving + key[outside]) * _MULTIPLIERS[number % 2] & mask
            moving ^= moving >> half
        values[outside] = moving
        outside = outside[moving >= np.uint64(size)]
    return values.astype(np.int64)
