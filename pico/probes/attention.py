"""What attention weights a model used, worked out again from the queries and keys it made.

Fused attention returns no weights, and linear attention never has them. They are recomputed from
what each block's mixing was given, so weights times values are what the mixing returned.

Shape suffixes: B batch, T time of the query, S time of the key, H heads, G twice as many (the
queries', then the keys'), K numbers a head.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.layers.attention import LinearMixing, SoftmaxMixing
from picosweep.pico.models.layers.linear_attention import feature_map, weight_totals

Mixing = SoftmaxMixing | LinearMixing


class NoAttentionError(ValueError):
    """A model without attention was asked for its weights."""


def mixings(model: nn.Module) -> list[Mixing]:
    """Return the attention of each layer, from the first on.

    Raises:
        NoAttentionError: there is none.
    """
    found = [part for part in model.modules() if isinstance(part, SoftmaxMixing | LinearMixing)]
    if not found:
        raise NoAttentionError(f"{type(model).__name__} has no attention")
    return found


@torch.no_grad()
def attention_weights(model: LanguageModel, ids_BT: Tensor) -> list[Tensor]:
    """Return each layer's weights of keys S for each query T, `[B, H, T, S]`, in fp32.

    Softmax weights of a query sum to 1. Those of linear attention with rotary positions may be
    negative and need not sum to 1: angles turn the numerator only. No weight is on a later key.

    Args:
        model: a model with attention; it is put into evaluation mode and back.
        ids_BT: token ids, at most a block of them.

    Raises:
        NoAttentionError: the model has no attention.
    """
    found: dict[int, Tensor] = {}
    layers = mixings(model)

    def keep(layer: int, mixing: Mixing) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            found[layer] = mixing_weights(mixing, given[0])

        return look

    with evaluating(model):
        handles = [
            mixing.register_forward_pre_hook(keep(layer, mixing))
            for layer, mixing in enumerate(layers)
        ]
        try:
            model(ids_BT)
        finally:
            for handle in handles:
                handle.remove()
    return [found[layer] for layer in range(len(layers))]


def mixing_weights(mixing: Mixing, qk_BTGK: Tensor) -> Tensor:
    """Return the weights `[B, H, T, S]` by which a mixing adds up values.

    Args:
        mixing: softmax or linear.
        qk_BTGK: queries and keys as the mixing is given them, before any angle.
    """
    length = qk_BTGK.shape[1]
    qk_BTGK = qk_BTGK.float()
    if isinstance(mixing, LinearMixing):
        qk_BTGK = feature_map(qk_BTGK)
        q_BHTK, k_BHSK = qk_BTGK.transpose(1, 2).chunk(2, dim=1)
        totals_BHT, _ = weight_totals(q_BHTK, k_BHSK)
    if mixing.rotary is not None:
        qk_BTGK = mixing.rotary(qk_BTGK, 0)
    q_BHTK, k_BHSK = qk_BTGK.transpose(1, 2).chunk(2, dim=1)
    products_BHTS = q_BHTK @ k_BHSK.transpose(-1, -2)
    seen_TS = torch.ones(length, length, dtype=torch.bool, device=qk_BTGK.device).tril()
    if isinstance(mixing, LinearMixing):
        return products_BHTS * seen_TS / totals_BHT.unsqueeze(-1)
    scores_BHTS: Tensor = products_BHTS * q_BHTK.shape[-1] ** -0.5
    return scores_BHTS.masked_fill(~seen_TS, -torch.inf).softmax(dim=-1)


@contextmanager
def without_head(model: nn.Module, layer: int, head: int) -> Iterator[None]:
    """Take away what one head adds: its output is zero while this lasts.

    Args:
        model: a model with attention.
        layer: which of its layers, from 0.
        head: which of the layer's heads, from 0.
    """

    def silence(_: nn.Module, __: object, mixed_BTHK: Tensor) -> Tensor:
        kept_H = torch.ones(mixed_BTHK.shape[2], device=mixed_BTHK.device)
        kept_H[head] = 0
        return mixed_BTHK * kept_H.unsqueeze(-1).type_as(mixed_BTHK)

    handle = mixings(model)[layer].register_forward_hook(silence)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and back into the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
