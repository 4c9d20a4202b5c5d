"""Optimizers over a model's parameters, and the gradient's size, at the least cost a step.

The models of a sweep take a few milliseconds a step, so what surrounds a step counts: gradient
norms are one call over all parameters and never one `.item()` a parameter.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

from picosweep.pico.training_config import TrainingConfig


def build_optimizers(
    model: nn.Module, config: TrainingConfig, *, vocab_size: int
) -> list[Optimizer]:
    """Build the optimizers that together own every trainable parameter, each exactly once.

    Args:
        model: model to train; the optimizers' state lies on its device.
        config: settings, of which the optimizer's name and hyperparameters are read.
        vocab_size: outputs of the head, by which `muon` distinguishes it from hidden layers.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    match config.optimizer:
        case "muon":
            hidden = _hidden_matrices(model, vocab_size)
            rest = [p for p in trained if id(p) not in hidden]
            matrices = [p for p in trained if id(p) in hidden]
            optimizers: list[Optimizer] = [_adamw(rest, config)] if rest else []
            if matrices:
                optimizers.append(_muon(matrices, config))
            return optimizers
        case "adamw":
            return [_adamw(trained, config)]
        case "adam":
            betas = (config.beta1, config.beta2)
            groups = _decay_groups(trained, config.weight_decay)
            return [Adam(groups, lr=config.learning_rate, betas=betas, fused=True)]
        case "sgd":
            return [
                SGD(
                    _decay_groups(trained, config.weight_decay),
                    lr=config.learning_rate,
                    momentum=config.momentum,
                    nesterov=config.momentum > 0,
                    fused=True,
                )
            ]


def _adamw(trained: list[nn.Parameter], config: TrainingConfig) -> AdamW:
    groups = _decay_groups(trained, config.weight_decay)
    betas = (config.beta1, config.beta2)
    return AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def _muon(matrices: list[nn.Parameter], config: TrainingConfig) -> Muon:
    """Return Muon, its update scaled to AdamW's root mean square: one learning rate serves both.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the
    scaling from Liu et al. 2025, "Muon is Scalable for LLM Training".
    """
    return Muon(
        matrices,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )


def _decay_groups(trained: list[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Split parameters: matrices and embeddings decay; biases and norm scales do not."""
    decayed = [p for p in trained if p.dim() >= 2]
    others = [p for p in trained if p.dim() < 2]
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _hidden_matrices(model: nn.Module, vocab_size: int) -> set[int]:
    """Return the identities of the matrices that map activations to activations.

    The head does not: it is the last linear layer with one output per token, and where it is tied
    its weight is the embedding's. Bare parameters do not either: they hold positions or rows to
    look up.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.RNNBase)]
    heads = [m for m in layers if isinstance(m, nn.Linear) and m.out_features == vocab_size][-1:]
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    outside = {id(p) for module in (*heads, *tables) for p in module.parameters(recurse=False)}
    inside = {id(p) for m in layers for p in m.parameters(recurse=False) if p.dim() == 2}
    return inside - outside


@dataclass(frozen=True, kw_only=True)
class GradientSize:
    """How large one step's gradient was, over all parameters together."""

    norm: float
    """Euclidean norm before clipping."""

    norm_clipped: float
    """Euclidean norm after clipping."""

    largest: float
    """Largest absolute entry before clipping."""

    @classmethod
    def unknown(cls) -> "GradientSize":
        """Return the size of a gradient that was not measured: all NaN."""
        return cls(norm=math.nan, norm_clipped=math.nan, largest=math.nan)


def clip_gradients(
    parameters: Iterable[nn.Parameter], limit: float | None, *, measure: bool
) -> GradientSize | None:
    """Scale all gradients so that their joint norm is at most `limit`.

    Args:
        parameters: parameters whose gradients are scaled; those without a gradient are skipped.
        limit: largest joint norm; None never clips.
        measure: whether to return the gradient's size, which costs the host a synchronisation.

    Returns:
        size of the gradient when `measure` is set, otherwise None.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if limit is None and not measure:
        return None
    norm = joint_norm(grads)
    largest = torch.stack(torch._foreach_norm(grads, float("inf"))).max() if measure else None
    scale = torch.clamp(limit / (norm + 1e-6), max=1.0) if limit is not None else None
    # Where the host need not wait for the scale, looking at it saves a pass over the gradients;
    # elsewhere multiplying by one is cheaper than waiting. Both give the same bits.
    if scale is not None and (scale.device.type != "cpu" or scale.item() < 1.0):
        torch._foreach_mul_(grads, scale)
    if largest is None:
        return None
    norm_clipped = norm if scale is None else norm * scale
    values = torch.stack([norm, norm_clipped, largest]).tolist()
    return GradientSize(norm=values[0], norm_clipped=values[1], largest=values[2])


def joint_norm(tensors: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of all tensors together, as a scalar on their device."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
    return norm
