"""Models of every architecture, small enough to be made in each test."""

from typing import Any

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.registry import MODELS


def build(
    architecture: str, options: dict[str, Any], vocab_size: int, block_size: int
) -> LanguageModel:
    """A model with these hyperparameters, all others at their defaults."""
    found = MODELS[architecture]
    return found.build(found.config_class(**options), vocab_size, block_size)
