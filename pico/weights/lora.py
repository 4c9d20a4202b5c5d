"""LoRA: going on from a trained model by learning a low-rank change to its linear layers.

Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685.

Shape suffixes: I input size, O output size, R rank.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from picosweep.pico.field_checks import Count, Positive, check_fields
from picosweep.pico.models.interface import LanguageModel


@dataclass(frozen=True, kw_only=True)
class LoRAConfig:
    """Hyperparameters of LoRA."""

    rank: Count = 8
    """Rank of the change to each weight."""
    alpha: Positive = 16.0
    """The change counts `alpha / rank` times."""
    targets: tuple[str, ...] = ()
    """Ends of the names of the linear layers to change, such as `qkv`; empty: all of them."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)


class LowRank(nn.Module):
    """The sum of a weight and a product of two narrow matrices.

    The change is added to the weight, not to the layer's output: a model this narrow multiplies
    once, and whatever reads the weight (a head's loss) sees the change too.
    """

    def __init__(self, weight_OI: Tensor, config: LoRAConfig) -> None:
        super().__init__()
        outputs, inputs = weight_OI.shape
        self.scale = config.alpha / config.rank
        self.down_RI = nn.Parameter(weight_OI.new_empty(config.rank, inputs))
        self.up_OR = nn.Parameter(weight_OI.new_zeros(outputs, config.rank))
        nn.init.kaiming_uniform_(self.down_RI, a=math.sqrt(5))

    def forward(self, weight_OI: Tensor) -> Tensor:
        """Return the weight with the change added; at first there is none."""
        return torch.addmm(weight_OI, self.up_OR, self.down_RI, alpha=self.scale)


def add_lora(model: LanguageModel, config: LoRAConfig) -> list[str]:
    """Freeze the model and give its linear layers a low-rank change to learn.

    Args:
        model: trained model, changed in place. Its logits stay the same until it learns.
        config: rank and scale of the change, and which layers get one.

    Returns:
        names of the changed layers.

    Raises:
        ValueError: no linear layer has a name that ends as `targets` asks, or the model already
            has LoRA.
    """
    linears = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    if any(parametrize.is_parametrized(part) for part in linears.values()):
        raise ValueError("the model already has LoRA; allowed: merge it first")
    chosen = {
        name: part
        for name, part in linears.items()
        if not config.targets or name.endswith(config.targets)
    }
    if not chosen:
        allowed = "; allowed: ends of " + ", ".join(linears)
        raise ValueError(
            f"targets is {config.targets!r}, which no linear layer's name ends in{allowed}"
        )
    model.requires_grad_(False)
    for part in chosen.values():
        parametrize.register_parametrization(part, "weight", LowRank(part.weight, config))
    return list(chosen)


def merge_lora(model: LanguageModel) -> None:
    """Add each change to its weight and unfreeze all: the same logits from a plain model.

    A head that was tied to the embedding is a weight of its own afterwards.
    """
    for part in list(model.modules()):
        if isinstance(part, nn.Linear) and parametrize.is_parametrized(part, "weight"):
            with torch.no_grad():
                merged_OI = part.weight.clone()
            # Its own copy first, so that taking the change away writes into no shared table.
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=False)
            part.weight = nn.Parameter(merged_OI)
    model.requires_grad_(True)
