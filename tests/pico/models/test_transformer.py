"""The Transformer against the formulas, one example, one head and one token at a time."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from picosweep.pico.models.layers.norms import RMSNorm
from picosweep.pico.models.layers.positions import sinusoidal_vectors
from picosweep.pico.models.transformer import Block, Transformer, TransformerConfig

VOCAB_SIZE, BLOCK_SIZE = 13, 9


def slow_norm(norm: torch.nn.Module, x_D: Tensor) -> Tensor:
    if isinstance(norm, torch.nn.LayerNorm):
        x_D = (x_D - x_D.mean()) / (x_D.var(unbiased=False) + 1e-5).sqrt() * norm.weight
        return x_D if norm.bias is None else x_D + norm.bias
    if isinstance(norm, RMSNorm):
        return x_D / (x_D.square().mean() + 1e-6).sqrt() * norm.weight
    return x_D


def slow_turn(x_K: Tensor, place: int) -> Tensor:
    half = len(x_K) // 2
    angles = place * 10_000.0 ** (-torch.arange(half) / half)
    turned = torch.complex(x_K[0::2], x_K[1::2]) * torch.polar(torch.ones(half), angles)
    return torch.stack([turned.real, turned.imag], dim=-1).flatten()


def slow_attention(block: Block, config: TransformerConfig, x_TD: list[Tensor]) -> list[Tensor]:
    attention, heads = block.attention, config.num_heads
    q_THK, k_THK, v_THK = (
        [attention.qkv(x_D).chunk(3)[part].chunk(heads) for x_D in x_TD] for part in range(3)
    )
    mixed_TD = []
    for new in range(len(x_TD)):
        mixed_D = []
        for head in range(heads):
            weights, norms = [], []
            for old in range(new + 1):
                q_K, k_K = q_THK[new][head], k_THK[old][head]
                if config.qk_norm:
                    q_K, k_K = functional.normalize(q_K, dim=0), functional.normalize(k_K, dim=0)
                    q_K, k_K = q_K * len(q_K) ** 0.5, k_K * len(k_K) ** 0.5
                if config.attention == "linear":
                    q_K, k_K = functional.elu(q_K) + 1, functional.elu(k_K) + 1
                norms.append(q_K @ k_K)
                if config.position == "rotary":
                    q_K, k_K = slow_turn(q_K, new), slow_turn(k_K, old)
                weights.append(q_K @ k_K)
            if config.attention == "linear":
                shares = torch.stack(weights) / torch.stack(norms).sum()
            else:
                shares = torch.softmax(torch.stack(weights) / len(q_K) ** 0.5, dim=0)
            mixed_D.append(sum(shares[old] * v_THK[old][head] for old in range(new + 1)))
        mixed_TD.append(attention.out(torch.cat(mixed_D)))
    return mixed_TD


def slow_logits(model: Transformer, config: TransformerConfig, ids: list[int]) -> Tensor:
    x_TD = [model.embedding.weight[token] for token in ids]
    if config.position == "learned":
        x_TD = [x + model.places[place] for place, x in enumerate(x_TD)]
    if config.position == "sinusoidal":
        fixed_TD = sinusoidal_vectors(len(ids), config.embed_size)
        x_TD = [x + fixed for x, fixed in zip(x_TD, fixed_TD, strict=True)]
    functions = {
        "gelu": functional.gelu,
        "relu2": lambda x: functional.relu(x) ** 2,
        "tanh": torch.tanh,
    }
    for block in model.blocks:

        def mlp(x_D: Tensor, block: Block = block) -> Tensor:
            return block.mlp.down(functions[config.activation](block.mlp.up(x_D)))

        if config.norm_placement == "pre":
            normed_TD = [slow_norm(block.attention_norm, x) for x in x_TD]
            mixed_TD = slow_attention(block, config, normed_TD)
            x_TD = [x + mixed for x, mixed in zip(x_TD, mixed_TD, strict=True)]
            x_TD = [x + mlp(slow_norm(block.mlp_norm, x)) for x in x_TD]
        else:
            mixed_TD = slow_attention(block, config, x_TD)
            x_TD = [
                slow_norm(block.attention_norm, x + mixed)
                for x, mixed in zip(x_TD, mixed_TD, strict=True)
            ]
            x_TD = [slow_norm(block.mlp_norm, x + mlp(x)) for x in x_TD]
    if config.norm_placement == "pre":
        x_TD = [slow_norm(model.norm, x) for x in x_TD]
    return torch.stack([model.head.weight @ x for x in x_TD])


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"attention": attention, "position": position, "qk_norm": qk_norm}
            for attention, position, qk_norm in itertools.product(
                ["softmax", "linear"],
                ["learned", "sinusoidal", "rotary", "none"],
                [False, True],
            )
        ),
        *(
            {"norm": norm, "norm_placement": placement, "bias": bias}
            for norm, placement, bias in itertools.product(
                ["rms", "layer"], ["pre", "post"], [False, True]
            )
        ),
        {"activation": "relu2", "mlp_ratio": 2.5},
        {"activation": "tanh", "tied_head": True},
    ],
    ids=str,
)
def test_matches_formulas(options: dict[str, Any]) -> None:
    """Logits equal those of the formulas written out, for every option."""
    config = TransformerConfig(**({"embed_size": 8, "num_heads": 2, "chunk_size": 4} | options))
    model = Transformer(config, VOCAB_SIZE, BLOCK_SIZE)
    with torch.no_grad():
        for parameter in model.parameters():
            # Away from the initial values, where norms and offsets change nothing.
            parameter.add_(torch.randn_like(parameter) * 0.3)
        ids = torch.randint(VOCAB_SIZE, (BLOCK_SIZE,))
        expected_TV = slow_logits(model, config, ids.tolist())
        torch.testing.assert_close(model(ids[None])[0], expected_TV, rtol=1e-3, atol=1e-4)


def test_residual_writers_start_smaller() -> None:
    """What writes to the residual stream starts with a spread divided by sqrt(2 · layers)."""
    model = Transformer(TransformerConfig(num_layers=8, embed_size=128), 50, 16)
    block = model.blocks[3]
    assert block.attention.out.weight.std().item() == pytest.approx(
        block.attention.qkv.weight.std().item() / 4, rel=0.05
    )
    assert block.mlp.down.weight.std().item() == pytest.approx(
        block.mlp.up.weight.std().item() / 4, rel=0.05
    )


def test_rotary_cannot_be_loaded_from_a_checkpoint() -> None:
    """Fixed tables are not part of the state: a checkpoint holds trained numbers only."""
    for position in ("rotary", "sinusoidal"):
        model = Transformer(TransformerConfig(position=position), 50, 16)
        assert set(model.state_dict()) == {name for name, _ in model.named_parameters()} | {
            "head.weight"
        }
