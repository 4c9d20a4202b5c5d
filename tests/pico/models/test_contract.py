"""What every architecture owes the rest, over every combination of options that changes shape."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from picosweep.pico.facts import compute_facts
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.registry import MODELS
from tests.pico import tiny_models

VOCAB_SIZE, BLOCK_SIZE = 17, 12
SMALL: dict[str, dict[str, Any]] = {
    "kgram": {"embed_size": 8, "hidden_size": 16, "norm": "layer", "num_inner_layers": 1},
    "lstm": {"embed_size": 8, "hidden_size": 16, "num_layers": 2},
    "transformer": {"embed_size": 16, "num_heads": 2},
    "linear_transformer": {"embed_size": 16, "num_heads": 2, "chunk_size": 5},
}
ATTENTION = [
    ("transformer", {"attention": attention, "position": position, "chunk_size": chunk_size})
    for attention, position, chunk_size in itertools.product(
        ["softmax", "linear"], ["learned", "sinusoidal", "rotary", "none"], [3, 64]
    )
    if attention == "linear" or chunk_size == 64
]
CASES: list[tuple[str, dict[str, Any]]] = [
    *ATTENTION,
    ("transformer", {"norm_placement": "post", "norm": "layer", "bias": True, "tied_head": True}),
    ("transformer", {"qk_norm": True, "activation": "relu2", "mlp_ratio": 1.5}),
    ("linear_transformer", {"qk_norm": True}),
    ("kgram", {}),
    ("kgram", {"context_size": 1}),
    ("kgram", {"input": "onehot", "norm": "rms"}),
    ("kgram", {"context_size": 20, "chunk_size": 5}),
    ("lstm", {}),
    ("lstm", {"tied_head": True, "num_layers": 1}),
    ("lstm", {"tied_head": True, "hidden_size": 8}),
]
every_case = pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)


def build(architecture: str, options: dict[str, Any]) -> LanguageModel:
    whole = SMALL[architecture] | options
    return tiny_models.build(architecture, whole, VOCAB_SIZE, BLOCK_SIZE).eval()


def random_ids(batch_size: int = 3, length: int = BLOCK_SIZE) -> Tensor:
    return torch.randint(VOCAB_SIZE, (batch_size, length))


@every_case
def test_logits_have_one_row_a_token(architecture: str, options: dict[str, Any]) -> None:
    """Logits are `[B, T, V]`, finite and float32."""
    logits_BTV = build(architecture, options)(random_ids())
    assert logits_BTV.shape == (3, BLOCK_SIZE, VOCAB_SIZE)
    assert logits_BTV.dtype == torch.float32
    assert logits_BTV.isfinite().all()


@every_case
def test_logits_see_no_later_token(architecture: str, options: dict[str, Any]) -> None:
    """Changing token t changes the logits at t, and none before t."""
    model = build(architecture, options)
    ids_BT = random_ids()
    before = model(ids_BT)
    for place in (1, 5, BLOCK_SIZE - 1):
        changed_BT = ids_BT.clone()
        changed_BT[:, place] = (changed_BT[:, place] + 1) % VOCAB_SIZE
        after = model(changed_BT)
        torch.testing.assert_close(after[:, :place], before[:, :place], rtol=0, atol=1e-6)
        assert (after[:, place] - before[:, place]).abs().amax(-1).min() > 1e-5


@every_case
@pytest.mark.parametrize("pieces", [[12], [5, 1, 1, 1, 1, 1, 1, 1], [1] * 12, [4, 3, 5]], ids=str)
def test_cached_logits_are_the_uncached_ones(
    architecture: str, options: dict[str, Any], pieces: list[int]
) -> None:
    """Reading a text in any pieces gives the logits of reading it at once, to 1e-5."""
    model = build(architecture, options)
    ids_BT = random_ids()
    cache = model.init_cache(3)
    logits = []
    for piece_BT in ids_BT.split(pieces, dim=1):
        logits_BTV, cache = model.step(piece_BT, cache)
        logits.append(logits_BTV)
    torch.testing.assert_close(torch.cat(logits, 1), model(ids_BT), rtol=0, atol=1e-5)


@every_case
def test_every_weight_learns(architecture: str, options: dict[str, Any]) -> None:
    """The gradient of the loss reaches every parameter."""
    model = build(architecture, options)
    logits_BTV = model(random_ids())
    torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), random_ids().flatten()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@every_case
def test_first_guess_is_near_uniform(architecture: str, options: dict[str, Any]) -> None:
    """At initialisation the loss is about ln V: no token is favoured."""
    logits_BTV = build(architecture, options)(random_ids(16))
    loss = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), random_ids(16).flatten())
    assert abs(loss.item() - torch.tensor(float(VOCAB_SIZE)).log().item()) < 0.5


@every_case
def test_token_vectors_are_one_a_token(architecture: str, options: dict[str, Any]) -> None:
    """Every architecture offers one vector a token."""
    vectors = build(architecture, options).token_vectors()
    assert vectors.ndim == 2
    assert len(vectors) == VOCAB_SIZE


@every_case
def test_facts_count_what_is_built(architecture: str, options: dict[str, Any]) -> None:
    """The counted parameters are those of the built model, a tied head once."""
    config = MODELS[architecture].config_class(**(SMALL[architecture] | options))
    facts = compute_facts(
        architecture, config, vocab_size=VOCAB_SIZE, block_size=BLOCK_SIZE, batch_size=2
    )
    model = build(architecture, options)
    assert facts.num_params == sum(parameter.numel() for parameter in model.parameters())
    assert facts.flops_per_token > 0
    assert facts.memory_bytes > 16 * facts.num_params


@every_case
def test_bf16_is_near_float32(architecture: str, options: dict[str, Any]) -> None:
    """Under bf16 autocast the logits move by a few per cent at most, and all gradients exist."""
    model = build(architecture, options)
    ids_BT = random_ids()
    exact = model(ids_BT)
    with torch.autocast("cpu", torch.bfloat16):
        logits_BTV = model(ids_BT).float()
    assert (logits_BTV - exact).abs().max() < 0.03 * exact.abs().max()
    logits_BTV.logsumexp(-1).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("architecture", MODELS)
def test_same_seed_gives_same_weights(architecture: str) -> None:
    """Weights come from torch's global generator and from nowhere else."""
    torch.manual_seed(3)
    first = build(architecture, {}).state_dict()
    torch.manual_seed(3)
    second = build(architecture, {}).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("architecture", ["lstm", "transformer", "linear_transformer"])
def test_dropout_acts_in_training_only(architecture: str) -> None:
    """With dropout, training passes differ from each other and evaluation passes do not."""
    model = build(architecture, {"dropout": 0.5})
    ids_BT = random_ids()
    assert torch.equal(model(ids_BT), model(ids_BT))
    model.train()
    assert not torch.equal(model(ids_BT), model(ids_BT))


@pytest.mark.parametrize(
    ("architecture", "options", "message"),
    [
        ("kgram", {"context_size": 0}, "context_size is 0; allowed: a whole number of at least 1"),
        ("kgram", {"activation": "swish"}, "activation is 'swish'; allowed: one of relu, gelu"),
        ("kgram", {"input": "bytes"}, "input is 'bytes'; allowed: one of embedded, onehot"),
        ("kgram", {"chunk_size": 0}, "chunk_size is 0"),
        ("lstm", {"hidden_size": 2.5}, "hidden_size is 2.5; allowed: a whole number"),
        ("lstm", {"dropout": 1.0}, "dropout is 1.0; allowed: a number from 0"),
        ("lstm", {"tied_head": 1}, "tied_head is 1; allowed: true or false"),
        ("transformer", {"embed_size": 30, "num_heads": 4}, "embed_size is 30; allowed: a multip"),
        ("transformer", {"embed_size": 12, "num_heads": 4}, r"a multiple of 2 \* num_heads"),
        ("transformer", {"mlp_ratio": float("inf")}, "mlp_ratio is inf; allowed: a finite"),
        ("transformer", {"mlp_ratio": 0.001}, "mlp_ratio is 0.001; allowed: at least"),
        ("transformer", {"norm": "none"}, "norm is 'none'; allowed: one of rms, layer"),
        ("linear_transformer", {"num_layers": True}, "num_layers is True"),
    ],
    ids=str,
)
def test_bad_value_is_named(architecture: str, options: dict[str, Any], message: str) -> None:
    """A bad value is refused with field, value and what is allowed."""
    with pytest.raises(ValueError, match=message):
        MODELS[architecture].config_class(**options)


@pytest.mark.parametrize("architecture", ["transformer", "linear_transformer"])
def test_text_longer_than_the_block_is_refused(architecture: str) -> None:
    """A text or a cache beyond `block_size` is refused instead of read wrongly."""
    model = build(architecture, {})
    with pytest.raises(ValueError, match=r"13 tokens; allowed: at most block_size \(12\)"):
        model(random_ids(1, 13))
    _, cache = model.step(random_ids(1, 12), model.init_cache(1))
    with pytest.raises(ValueError, match="13 tokens"):
        model.step(random_ids(1, 1), cache)
