"""Loss by a token's place in what the model reads, also past the length that it was trained on.

Shape suffixes: B windows, T positions.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from picosweep.pico.data.prepared import PreparedData, TokenArray
from picosweep.pico.probes.attention import evaluating

NUM_WINDOWS: Final = 64
TIMES_LONGER: Final = 4
"""How far past a block the loss is looked at, in blocks."""
TOKENS_AT_ONCE: Final = 4096


@dataclass(frozen=True, kw_only=True)
class PlaceLoss:
    """Mean loss of the tokens at some places."""

    first: int
    last: int
    """Both counted from 1: the token at place 1 is predicted from one token before it."""
    loss: float
    """Nats a token."""
    tokens: int
    """Tokens it is a mean over."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Pieces of validation text."""

    ids: npt.NDArray[np.int64]
    """`[B, length]`."""
    counted: npt.NDArray[np.bool_]
    """Which tokens are of the document that a piece begins with, where rows never mix them."""


def windows_of(tokens: TokenArray, length: int, most: int = NUM_WINDOWS) -> npt.NDArray[np.int64]:
    """Return windows `[B, length]` spread evenly over a text, `most` at most; they may be none."""
    number = min(most, len(tokens) // length)
    starts = np.linspace(0, max(0, len(tokens) - length), number).astype(np.int64)
    places_BT = starts[:, None] + np.arange(length)
    windows_BT: npt.NDArray[np.int64] = tokens[places_BT].astype(np.int64)
    return windows_BT


def training_like_windows(data: PreparedData, length: int) -> Windows:
    """Return windows of validation text as training has them.

    A contiguous stream is cut anywhere. Where a row begins with a document, so does a window, and
    what follows that document's end is not counted.
    """
    if data.meta.mode == "contiguous":
        ids_BT = windows_of(data.validation, length)
        return Windows(ids=ids_BT, counted=np.ones(ids_BT.shape, dtype=bool))
    starts = data.validation_starts
    chosen = np.linspace(0, len(starts) - 2, min(NUM_WINDOWS, len(starts) - 1)).astype(np.int64)
    places_BT = starts[chosen][:, None] + np.arange(length)
    end_B1 = starts[chosen + 1][:, None] + data.meta.predict_end
    counted_BT = places_BT < np.minimum(end_B1, len(data.validation))
    ids_BT = data.validation[np.minimum(places_BT, len(data.validation) - 1)].astype(np.int64)
    return Windows(ids=ids_BT, counted=counted_BT)


@torch.no_grad()
def loss_by_place(model: nn.Module, windows: Windows) -> list[PlaceLoss]:
    """Return the loss at places 1, 2, 3-4, 5-8 and so on, doubling, as far as any is counted.

    Args:
        model: module that maps ids `[B, T]` to logits `[B, T, V]`.
        windows: pieces of text, one token longer than what the model is to read at once.
    """
    device = next(model.parameters()).device
    length = windows.ids.shape[1] - 1
    together = max(1, TOKENS_AT_ONCE // length)
    total_T = torch.zeros(length, dtype=torch.float64)
    with evaluating(model):
        for start in range(0, len(windows.ids), together):
            ids_BT = torch.from_numpy(windows.ids[start : start + together]).to(device)
            counted_BT = torch.from_numpy(windows.counted[start : start + together, 1:])
            logits_BTV = model(ids_BT[:, :-1]).float()
            losses_BT = functional.cross_entropy(logits_BTV.mT, ids_BT[:, 1:], reduction="none")
            total_T += (losses_BT.double().cpu() * counted_BT).sum(dim=0)
    number_T = torch.from_numpy(windows.counted[:, 1:].sum(axis=0))
    found = []
    for first, last in _doubling(length):
        number = int(number_T[first:last].sum())
        if number:
            mean = float(total_T[first:last].sum()) / number
            found.append(PlaceLoss(first=first + 1, last=last, loss=mean, tokens=number))
    return found


def _doubling(length: int) -> Iterator[tuple[int, int]]:
    edges = [0, 1, 2]
    while edges[-1] < length:
        edges.append(2 * edges[-1])
    for first, last in itertools.pairwise(edges):
        if first < length:
            yield first, min(last, length)
