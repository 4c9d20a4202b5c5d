"""Facts against PyTorch's own counters and against figures worked out by hand."""

import time
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from picosweep.pico.facts import compute_facts
from picosweep.pico.models.registry import MODELS

CASES: list[tuple[str, dict[str, Any]]] = [
    ("kgram", {"context_size": 4, "num_inner_layers": 2}),
    ("kgram", {"input": "onehot", "norm": "layer"}),
    ("lstm", {"num_layers": 2}),
    ("lstm", {"tied_head": True}),
    ("transformer", {"num_layers": 3, "mlp_ratio": 3.0}),
    ("transformer", {"norm": "layer", "position": "learned", "dropout": 0.1}),
    ("linear_transformer", {"position": "none"}),
    ("linear_transformer", {"chunk_size": 16}),
]
SIZES = {"vocab_size": 300, "block_size": 64}


def build(architecture: str, options: dict[str, Any]) -> tuple[Any, torch.nn.Module]:
    config = MODELS[architecture].config_class(**options)
    return config, MODELS[architecture].build(config, *SIZES.values())


@pytest.mark.parametrize(
    ("architecture", "options"), [case for case in CASES if case[0] == "kgram"], ids=str
)
def test_kgram_flops_are_torchs(architecture: str, options: dict[str, Any]) -> None:
    """Forward FLOPs a token agree with PyTorch's own counter; training takes three times."""
    config, model = build(architecture, options)
    forward = MODELS[architecture].flops_per_token(config, *SIZES.values())
    assert counted_flops(model) / SIZES["block_size"] == pytest.approx(forward)
    facts = compute_facts(architecture, config, **SIZES, batch_size=2)
    assert facts.flops_per_token == 3 * forward


@pytest.mark.parametrize("num_layers", [1, 3])
def test_transformer_flops_are_torchs_plus_attention(num_layers: int) -> None:
    """PyTorch's counter sees all products but attention's; those are counted by hand."""
    options = {"num_layers": num_layers, "mlp_ratio": 3.0, "embed_size": 48}
    config, model = build("transformer", options)
    forward = MODELS["transformer"].flops_per_token(config, *SIZES.values()) * 64
    # Token t looks at t+1 tokens: one product of 48 numbers for the score, one for the value.
    attention = num_layers * sum(2 * 2 * 48 * (place + 1) for place in range(64))
    assert counted_flops(model) == pytest.approx(forward - attention)


def test_linear_attention_flops_do_not_grow_with_the_block() -> None:
    """Linear attention costs the same a token whatever the block; softmax costs more."""
    for architecture, grows in [("linear_transformer", False), ("transformer", True)]:
        config = MODELS[architecture].config_class()
        short, long = (
            MODELS[architecture].flops_per_token(config, 100, size) for size in (64, 1024)
        )
        assert (long > short) is grows
    config = MODELS["linear_transformer"].config_class(embed_size=8, num_heads=2, num_layers=1)
    # Two heads with a 4 by 4 state each: one product to write, one to read; then the total.
    expected = 2 * (4 * 8 * 8 + 2 * 8 * 32 + 2 * (2 * 4 * 4) + 8 + 8 * 100)
    assert MODELS["linear_transformer"].flops_per_token(config, 100, 64) == expected


def counted_flops(model: torch.nn.Module) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, SIZES["block_size"], dtype=torch.int64))
    return counter.get_total_flops()


def test_lstm_flops_by_hand() -> None:
    """Two layers of 8 over vectors of 4, vocabulary 10: gates, then the head."""
    config = MODELS["lstm"].config_class(num_layers=2, hidden_size=8, embed_size=4)
    facts = compute_facts("lstm", config, vocab_size=10, block_size=6, batch_size=1)
    gates = 4 * 8 * (4 + 8) + 4 * 8 * (8 + 8)
    assert facts.flops_per_token == 3 * 2 * (gates + 8 * 10)


@pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)
def test_activations_are_about_what_is_kept(architecture: str, options: dict[str, Any]) -> None:
    """The estimate of kept numbers is within a third of what autograd keeps."""
    config, model = build(architecture, options)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = model(torch.zeros(16, SIZES["block_size"], dtype=torch.int64))
    del logits
    measured = sum(kept.values()) / 4 / (16 * SIZES["block_size"])
    estimate = MODELS[architecture].activations_per_token(config, *SIZES.values())
    assert estimate == pytest.approx(measured, rel=1 / 3)


def test_memory_grows_with_batch_and_optimizer() -> None:
    """AdamW keeps one number a weight more than SGD; activations grow with the batch."""
    config = MODELS["transformer"].config_class()
    sizes = {"vocab_size": 64, "block_size": 32}
    adamw = compute_facts("transformer", config, **sizes, batch_size=4)
    sgd = compute_facts("transformer", config, **sizes, batch_size=4, optimizer="sgd")
    double = compute_facts("transformer", config, **sizes, batch_size=8)
    assert adamw.memory_bytes - sgd.memory_bytes == 4 * adamw.num_params
    fixed = 16 * adamw.num_params
    assert double.memory_bytes - fixed == 2 * (adamw.memory_bytes - fixed)


def test_facts_are_cheap() -> None:
    """Facts of a new configuration take well under 20 ms: a searcher asks for thousands."""
    compute_facts("transformer", MODELS["transformer"].config_class(), **SIZES, batch_size=1)
    start = time.perf_counter()
    for num_layers in range(3, 8):
        config = MODELS["transformer"].config_class(num_layers=num_layers)
        compute_facts("transformer", config, **SIZES, batch_size=1)
    assert time.perf_counter() - start < 5 * 0.02


def test_unknown_names_are_refused_with_a_hint() -> None:
    """An unknown architecture or optimizer is named together with what is allowed."""
    config = MODELS["transformer"].config_class()
    with pytest.raises(ValueError, match=r"'transfomer'.*did you mean 'transformer'"):
        compute_facts("transfomer", config, **SIZES, batch_size=1)
    with pytest.raises(ValueError, match="optimizer is 'lion'; allowed: one of adamw, adam"):
        compute_facts("transformer", config, **SIZES, batch_size=1, optimizer="lion")


@pytest.mark.parametrize("depth", [4, 9])
@pytest.mark.parametrize(
    ("architecture", "field", "options"),
    [
        ("kgram", "num_inner_layers", {"norm": "layer", "embed_size": 8}),
        ("lstm", "num_layers", {"embed_size": 8, "hidden_size": 24}),
        ("transformer", "num_layers", {"norm": "layer", "bias": True, "qk_norm": True}),
        ("linear_transformer", "num_layers", {"norm_placement": "post", "tied_head": True}),
    ],
)
def test_deep_models_are_counted_exactly(
    architecture: str, field: str, options: dict[str, Any], depth: int
) -> None:
    """Counting from shallow models gives what the deep one has, to the digit."""
    config, model = build(architecture, options | {field: depth})
    facts = compute_facts(architecture, config, **SIZES, batch_size=2)
    assert facts.num_params == sum(parameter.numel() for parameter in model.parameters())
