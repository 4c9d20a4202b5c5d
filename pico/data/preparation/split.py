"""Which documents are training and which are validation, decided by what they say.

The same text never lands on both sides, in whichever sources of a mixture it appears and however
its blanks differ.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from picosweep.pico.errors import FieldError

TRAIN, VALIDATION, DROPPED = 0, 1, 2
Sides = npt.NDArray[np.int8]

Split = Callable[[Sequence["Scan"], float], list[Sides]]
"""From documents and a share of their characters to sides."""

_SHARE_TOLERANCE = 0.02


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the split needs to know of a source's documents, in their order."""

    hashes: npt.NDArray[np.uint64]
    """`content_hash` of each."""

    sizes: npt.NDArray[np.int64]
    """Characters of each."""

    def only(self, kept: npt.NDArray[np.bool_]) -> "Scan":
        """Return the scan of some of the documents."""
        return Scan(hashes=self.hashes[kept], sizes=self.sizes[kept])


def content_hash(text: str, seed: int) -> int:
    """Return a 64-bit hash of a text's words: equal for texts that differ in white space only."""
    words = " ".join(text.split()).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(words, digest_size=8, salt=(seed % 2**64).to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


def split_by_hash(scans: Sequence[Scan], fraction: float) -> list[Sides]:
    """Set about `fraction` of each source's characters aside, in the order of the hashes."""
    chosen = [_first_by_hash(scan, fraction) for scan in scans]
    return _sides(scans, np.concatenate(chosen), clash=VALIDATION)


def split_tail(scans: Sequence[Scan], fraction: float) -> list[Sides]:
    """Set the last documents of each source aside, about `fraction` of its characters."""
    chosen = []
    for scan in scans:
        remaining = scan.sizes.sum() - np.cumsum(scan.sizes)
        # The document at the cut goes to the side that brings the share closer to the fraction.
        is_tail = remaining + scan.sizes / 2 <= fraction * scan.sizes.sum()
        is_tail[-1] = True
        chosen.append(scan.hashes[is_tail])
    return _sides(scans, np.concatenate(chosen), clash=VALIDATION)


def split_by_source(scans: Sequence[Scan], validation: Scan) -> list[Sides]:
    """Take the sources for training, but drop documents that the validation source has too."""
    return _sides(scans, validation.hashes, clash=DROPPED)


def split_rest(
    scans: Sequence[Scan], own: Sequence[Scan | None], fraction: float, split: Split
) -> list[Sides]:
    """Split the sources that have no validation documents of their own; drop what others have.

    Args:
        scans: the documents to train on, by source, and to cut a validation part from where the
            source has no own one.
        own: each source's own validation documents.
        fraction: share of a source's characters to set aside.
        split: `split_by_hash` or `split_tail`.
    """
    given = np.concatenate([scan.hashes for scan in own if scan is not None])
    sides = _sides(scans, given, clash=DROPPED)
    rest = [index for index, scan in enumerate(own) if scan is None]
    if not rest:
        return sides
    left = [scans[index].only(sides[index] == TRAIN) for index in rest]
    for index, found in zip(rest, split(left, fraction), strict=True):
        sides[index][sides[index] == TRAIN] = found
    chosen = np.concatenate([scans[index].hashes[sides[index] == VALIDATION] for index in rest])
    for index, scan in enumerate(own):
        if scan is not None:
            sides[index][np.isin(scans[index].hashes, chosen)] = DROPPED
    return sides


def _first_by_hash(scan: Scan, fraction: float) -> npt.NDArray[np.uint64]:
    hashes, group = np.unique(scan.hashes, return_inverse=True)
    sizes = np.bincount(group, weights=scan.sizes)
    target = fraction * sizes.sum()
    # Ordering by hash and passing over what would overshoot gives the asked share even of few
    # and very unequal documents, which a threshold on the hash does not.
    chosen = []
    total = 0.0
    for index, size in enumerate(sizes.tolist()):
        if total + size <= (1 + _SHARE_TOLERANCE) * target:
            chosen.append(index)
            total += size
        if total >= (1 - _SHARE_TOLERANCE) * target:
            break
    if not chosen:
        chosen = [int(np.argmin(sizes))]
    return hashes[chosen]


def _sides(
    scans: Sequence[Scan], validation_hashes: npt.NDArray[np.uint64], *, clash: int
) -> list[Sides]:
    sides = [
        np.where(np.isin(scan.hashes, validation_hashes), clash, TRAIN).astype(np.int8)
        for scan in scans
    ]
    for side, scan in zip(sides, scans, strict=True):
        if not np.any(side == TRAIN):
            distinct = len(np.unique(scan.hashes))
            raise FieldError(
                "nothing is left to train on",
                field="data.source",
                found=f"{distinct} distinct document{'s' if distinct != 1 else ''}, all of them "
                "needed for validation",
                allowed="at least two different documents that are not in the validation source",
            )
    return sides
