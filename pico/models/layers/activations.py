"""The activations that a configuration can name."""

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor
from torch.nn import functional


def relu_squared(x: Tensor) -> Tensor:
    """Return max(x, 0)², the activation that Primer's search found.

    Source: So et al. 2021, https://arxiv.org/abs/2109.08668.
    """
    positive = functional.relu(x)
    # A product, because the gradient of a power is twice as slow on CPUs.
    return positive * positive


ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": functional.tanh,
    "relu2": relu_squared,
}
