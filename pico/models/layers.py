"""Building blocks that several architectures share: activations, norms, weight initialisation."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["none", "rms", "layer"]


def relu_squared(x: Tensor) -> Tensor:
    """Return max(x, 0)², the activation that the search of Primer found.

    Source: So et al. 2021, https://arxiv.org/abs/2109.08668.
    """
    return F.relu(x).square()


ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": F.tanh,
    "relu2": relu_squared,
}


def make_norm(kind: Norm, size: int, *, bias: bool) -> nn.Module:
    """Return a norm over the last axis; `bias` adds an offset to the layer norm's scale."""
    if kind == "layer":
        return nn.LayerNorm(size, bias=bias)
    if kind == "rms":
        return nn.RMSNorm(size)
    return nn.Identity()
