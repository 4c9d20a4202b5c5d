"""What a model costs before a single weight exists: parameters, FLOPs, memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import torch
from torch.overrides import TorchFunctionMode

from picosweep.pico.errors import FieldError
from picosweep.pico.models.interface import Architecture, LanguageModel, ModelConfig
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.preference_config import PreferenceConfig

BYTES_PER_NUMBER: Final = 4
_SHALLOW: Final = 3
"""Layers of the deepest model that is built in order to be counted."""
LOGIT_COPIES: Final = 3
"""Logits, their log-softmax, and the gradient of the logits live at the same time."""
OPTIMIZER_COPIES: Final[Mapping[str, int]] = {"adamw": 2, "adam": 2, "muon": 2, "sgd": 1}
"""Numbers that an optimizer keeps for each weight; Muon keeps one for a matrix and two for the
rest, and is counted as two."""


FORWARD_PASSES: Final = 3.0
"""What a training step costs in forward passes of its model: a backward pass is two."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a model of one configuration costs."""

    num_params: int
    """Trained numbers; a tied head counts once."""
    flops_per_token: float
    """FLOPs per token in training: three times the forward pass, four with a reference."""
    memory_bytes: int
    """Estimate for one training step: weights, gradients, optimizer state and activations."""


def forward_passes(preference: PreferenceConfig | None) -> float:
    """Return what a training step costs in forward passes, that of a reference included.

    The reference's pass counts whether or not it was computed before: a trial's FLOPs do not depend
    on which trials ran before it.
    """
    has_reference = preference is not None and preference.has_reference
    return FORWARD_PASSES + has_reference


@lru_cache(maxsize=4096)
def compute_facts(
    architecture: str,
    model_config: ModelConfig,
    *,
    vocab_size: int,
    block_size: int,
    batch_size: int,
    optimizer: str = "adamw",
    forward_passes: float = FORWARD_PASSES,
) -> Facts:
    """Return the facts of a model without making its weights.

    Args:
        architecture: name in the registry, or the import path of the user's own model.
        model_config: hyperparameters, of the architecture's own configuration class.
        vocab_size: tokens in the vocabulary.
        block_size: tokens in a training window.
        batch_size: windows in one forward pass.
        optimizer: name of the optimizer, which keeps numbers of its own for each weight.
        forward_passes: what a step costs in forward passes: a reference has one of its own.

    Raises:
        ValueError: the architecture or the optimizer is unknown.
    """
    if optimizer not in OPTIMIZER_COPIES:
        allowed = ", ".join(OPTIMIZER_COPIES)
        raise FieldError(field="optimizer", found=optimizer, allowed=f"one of {allowed}")
    found = find_architecture(architecture)
    sizes = (model_config, vocab_size, block_size)
    num_params = _count_params(found, *sizes)
    a_token = found.activations_per_token(*sizes) + LOGIT_COPIES * vocab_size
    num_numbers = (2 + OPTIMIZER_COPIES[optimizer]) * num_params
    num_numbers += round(a_token * batch_size * block_size)
    return Facts(
        num_params=num_params,
        flops_per_token=forward_passes * found.flops_per_token(*sizes),
        memory_bytes=BYTES_PER_NUMBER * num_numbers,
    )


def _count_params(
    found: Architecture, model_config: ModelConfig, vocab_size: int, block_size: int
) -> int:
    depth = 0 if found.repeats is None else getattr(model_config, found.repeats)
    if found.repeats is None or depth <= _SHALLOW:
        return _count_built(found, model_config, vocab_size, block_size)
    shallow, deeper = (
        _count_built(found, replace(model_config, **{found.repeats: n}), vocab_size, block_size)
        for n in (_SHALLOW - 1, _SHALLOW)
    )
    return deeper + (depth - _SHALLOW) * (deeper - shallow)


@lru_cache(maxsize=4096)
def _count_built(
    found: Architecture, model_config: ModelConfig, vocab_size: int, block_size: int
) -> int:
    model = built_without_weights(found, model_config, vocab_size, block_size)
    return sum(parameter.numel() for parameter in model.parameters())


def built_without_weights(
    found: Architecture, model_config: ModelConfig, vocab_size: int, block_size: int
) -> LanguageModel:
    """Return a model on the meta device, or with weights where a user's class needs numbers."""
    try:
        with torch.device("meta"), _NoRandomNumbers():
            return found.build(model_config, vocab_size, block_size)
    except (NotImplementedError, RuntimeError, TypeError):
        # A user's constructor may look at numbers, and on the meta device there are none. What is
        # wrong with it otherwise is raised again.
        with torch.random.fork_rng(devices=[]):
            return found.build(model_config, vocab_size, block_size)


class _NoRandomNumbers(TorchFunctionMode):
    """Mode that draws no weights: on the meta device drawing is useless, and takes 1 s at first."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return (kwargs or {}).get("tensor", args[0] if args else None)
        return func(*args, **(kwargs or {}))
