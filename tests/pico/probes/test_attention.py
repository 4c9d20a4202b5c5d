"""Recomputed weights are those that the model used."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.attention import (
    NoAttentionError,
    attention_weights,
    mixings,
    without_head,
)
from tests.pico import tiny_models

VOCAB_SIZE, BLOCK_SIZE, LENGTH = 19, 16, 11
OPTIONS: list[dict[str, Any]] = [
    {"position": position, "norm": norm, "norm_placement": placement, "qk_norm": qk_norm}
    for position, norm, placement, qk_norm in [
        ("rotary", "rms", "pre", False),
        ("learned", "layer", "post", True),
        ("sinusoidal", "rms", "post", False),
        ("none", "layer", "pre", True),
        ("rotary", "layer", "post", True),
    ]
]
KINDS = [("transformer", {}), ("linear_transformer", {"chunk_size": 4})]


def build(architecture: str, options: dict[str, Any]) -> LanguageModel:
    torch.manual_seed(1)
    sizes = {"embed_size": 16, "num_heads": 2, "num_layers": 2}
    model = tiny_models.build(architecture, {**sizes, **options}, VOCAB_SIZE, BLOCK_SIZE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def ids(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCAB_SIZE, (3, LENGTH), generator=generator)


@pytest.mark.parametrize(("architecture", "extra"), KINDS, ids=["softmax", "linear"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_times_values_are_what_the_mixing_returns(
    architecture: str, extra: dict[str, Any], options: dict[str, Any]
) -> None:
    """For every kind of position and norm, and over the borders of linear attention's chunks."""
    model = build(architecture, {**options, **extra})
    seen: list[tuple[Tensor, Tensor]] = []

    def look(_: nn.Module, given: tuple[Tensor, ...], mixed_BTHK: Tensor) -> None:
        seen.append((given[1], mixed_BTHK))

    for mixing in mixings(model):
        mixing.register_forward_hook(look)
    weights = attention_weights(model, ids())
    assert len(weights) == len(seen) == 2
    for weights_BHTS, (v_BTHK, mixed_BTHK) in zip(weights, seen, strict=True):
        assert weights_BHTS.shape == (3, 2, LENGTH, LENGTH)
        expected = (weights_BHTS @ v_BTHK.transpose(1, 2).float()).transpose(1, 2)
        assert (expected - mixed_BTHK).abs().max() < 1e-5 * mixed_BTHK.abs().max()
        later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        assert (weights_BHTS[..., later] == 0).all()
        sums = weights_BHTS.sum(dim=-1)
        if architecture == "transformer" or options["position"] != "rotary":
            assert sums.sub(1).abs().max() < 1e-5
        else:  # angles turn the numerator only
            assert sums.sub(1).abs().max() > 1e-3


def test_a_model_is_left_as_it_was() -> None:
    """Neither its mode nor its output nor its hooks are changed, also when reading it fails."""
    model = build("transformer", {"dropout": 0.5}).train()
    model.eval()
    before = model(ids())
    model.train()
    first, again = (attention_weights(model, ids()) for _ in range(2))
    assert model.training
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    with pytest.raises(ValueError, match="block_size"):
        attention_weights(model, torch.zeros(1, BLOCK_SIZE + 1, dtype=torch.int64))
    with without_head(model, 1, 0):
        pass
    model.eval()
    assert torch.equal(model(ids()), before)
    assert not any(mixing._forward_pre_hooks or mixing._forward_hooks for mixing in mixings(model))


def test_a_head_that_is_taken_away_adds_nothing() -> None:
    """As if its rows of the projection back were zero; the others go on as before."""
    model = build("transformer", {}).eval()
    with torch.no_grad(), without_head(model, 0, 1):
        without = model(ids())
    attention = next(part for part in model.modules() if hasattr(part, "mixing"))
    size = 16 // 2
    with torch.no_grad():
        attention.out.weight[:, size:] = 0  # type: ignore[union-attr, index]
        assert torch.allclose(model(ids()), without, atol=1e-6)


@pytest.mark.parametrize("architecture", ["kgram", "lstm"])
def test_a_model_without_attention_says_so(architecture: str) -> None:
    """Instead of a table of nothing."""
    with pytest.raises(NoAttentionError, match="has no attention"):
        attention_weights(tiny_models.build(architecture, {}, VOCAB_SIZE, BLOCK_SIZE), ids())
