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

from picosweep.pico.data.prepared import TokenArray
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
    windows: int
    """Windows it is a mean over."""


def windows_of(tokens: TokenArray, length: int, most: int = NUM_WINDOWS) -> npt.NDArray[np.int64]:
    """Return windows `[B, length]` spread evenly over a text, `most` at most; they may be none."""
    number = min(most, len(tokens) // length)
    starts = np.linspace(0, max(0, len(tokens) - length), number).astype(np.int64)
    places_BT = starts[:, None] + np.arange(length)
    windows_BT: npt.NDArray[np.int64] = tokens[places_BT].astype(np.int64)
    return windows_BT


@torch.no_grad()
def loss_by_place(model: nn.Module, windows_BT: npt.NDArray[np.int64]) -> list[PlaceLoss]:
    """Return the loss at places 1, 2, 3-4, 5-8 and so on, doubling.

    Args:
        model: module that maps ids `[B, T]` to logits `[B, T, V]`.
        windows_BT: windows of text, one token longer than what the model is to read at once.
    """
    device = next(model.parameters()).device
    length = windows_BT.shape[1] - 1
    together = max(1, TOKENS_AT_ONCE // length)
    total_T = torch.zeros(length, dtype=torch.float64)
    with evaluating(model):
        for start in range(0, len(windows_BT), together):
            ids_BT = torch.from_numpy(windows_BT[start : start + together]).to(device)
            logits_BTV = model(ids_BT[:, :-1]).float()
            losses_BT = functional.cross_entropy(logits_BTV.mT, ids_BT[:, 1:], reduction="none")
            total_T += losses_BT.double().sum(dim=0).cpu()
    mean_T = total_T / len(windows_BT)
    return [
        PlaceLoss(
            first=first + 1,
            last=last,
            loss=float(mean_T[first:last].mean()),
            windows=len(windows_BT),
        )
        for first, last in _doubling(length)
    ]


def _doubling(length: int) -> Iterator[tuple[int, int]]:
    edges = [0, 1, 2]
    while edges[-1] < length:
        edges.append(2 * edges[-1])
    for first, last in itertools.pairwise(edges):
        if first < length:
            yield first, min(last, length)
