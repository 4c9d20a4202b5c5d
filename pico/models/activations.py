"""The activations that a configuration can name."""

from collections.abc import Callable, Mapping
from typing import Final

import torch.nn.functional as F
from torch import Tensor


def relu_squared(x: Tensor) -> Tensor:
    """Return max(x, 0)², the activation that Primer's search found.

    Source: So et al. 2021, https://arxiv.org/abs/2109.08668.
    """
    positive = F.relu(x)
    # A product, because the gradient of a power is twice as slow on CPUs.
    return positive * positive


ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": F.tanh,
    "relu2": relu_squared,
}
