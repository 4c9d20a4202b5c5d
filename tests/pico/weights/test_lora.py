"""LoRA: unchanged at first, only the change learns, merging keeps the logits."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional

from picosweep.pico.models.interface import HeadedModel, LanguageModel
from picosweep.pico.models.layers.head_loss import head_loss
from picosweep.pico.weights.lora import LoRAConfig, add_lora, merge_lora
from tests.pico import tiny_models

VOCAB_SIZE, BLOCK_SIZE = 19, 8
CASES = [
    ("kgram", {"num_inner_layers": 1}),
    ("lstm", {"tied_head": True}),
    ("transformer", {"tied_head": True, "bias": True}),
    ("linear_transformer", {}),
]
every_case = pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)

LOW_RANK = (".down_RI", ".up_OR")
"""Ends of the names of what LoRA learns."""


@pytest.fixture(autouse=True)
def _one_thread_one_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


build = partial(tiny_models.build, vocab_size=VOCAB_SIZE, block_size=BLOCK_SIZE)


def learn(model: LanguageModel, ids_BT: torch.Tensor) -> None:
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(free, lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(model(ids_BT).flatten(0, 1), ids_BT.flatten()).backward()
        optimizer.step()


@every_case
def test_only_the_change_learns_and_merging_keeps_the_logits(
    architecture: str, options: dict[str, Any]
) -> None:
    """Adding changes no logit, training changes only the change, merging changes no logit."""
    model = build(architecture, options).eval()
    ids_BT = torch.randint(VOCAB_SIZE, (4, BLOCK_SIZE))
    before = model(ids_BT)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    layers = add_lora(model, LoRAConfig(rank=2))
    assert "head" in layers
    torch.testing.assert_close(model(ids_BT), before)
    frozen = {
        name: parameter.clone()
        for name, parameter in model.named_parameters()
        if not parameter.requires_grad
    }
    learn(model, ids_BT)
    after = model(ids_BT)
    assert (after - before).abs().max() > 1e-3
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == name.endswith(LOW_RANK)
        if name in frozen:
            assert torch.equal(parameter, frozen[name])
    merge_lora(model)
    torch.testing.assert_close(model(ids_BT), after)
    assert not any(name.endswith(LOW_RANK) for name in model.state_dict())
    tied = options.get("tied_head", False)
    extra = VOCAB_SIZE * model.token_vectors().shape[1] if tied else 0
    assert sum(parameter.numel() for parameter in model.parameters()) == num_params + extra
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_heads_loss_sees_the_change() -> None:
    """The loss that reads the head's weight reads it with the change, and teaches the change."""
    model = build("transformer", {})
    assert isinstance(model, HeadedModel)
    add_lora(model, LoRAConfig(rank=2))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("up_OR"):
                tensor.normal_()
    ids_BT = torch.randint(VOCAB_SIZE, (4, BLOCK_SIZE))
    expected = functional.cross_entropy(model(ids_BT).flatten(0, 1), ids_BT.flatten())
    objective, _ = head_loss(model.features(ids_BT).flatten(0, 1), model.head, ids_BT.flatten())
    torch.testing.assert_close(objective, expected)
    objective.backward()
    assert model.head.parametrizations.weight[0].up_OR.grad.abs().max() > 0


def test_targets_choose_layers() -> None:
    """Only layers whose names end as asked are changed; none is an error that lists the ends."""
    model = build("transformer", {})
    assert add_lora(model, LoRAConfig(targets=("qkv",))) == [
        "blocks.0.attention.qkv",
        "blocks.1.attention.qkv",
    ]
    with pytest.raises(ValueError, match="already has LoRA"):
        add_lora(model, LoRAConfig())
    with pytest.raises(ValueError, match=r"targets is \('q',\).*blocks.0.attention.qkv"):
        add_lora(build("transformer", {}), LoRAConfig(targets=("q",)))


def test_bad_rank_is_named() -> None:
    """A rank below 1 is refused."""
    with pytest.raises(ValueError, match="rank is 0; allowed"):
        LoRAConfig(rank=0)
