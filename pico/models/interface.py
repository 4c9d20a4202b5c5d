"""What every architecture provides: a configuration, a model, and what the model costs.

Shape suffixes: B batch, T time, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from picosweep.pico.field_checks import check_fields

Cache: TypeAlias = Any
"""What a model remembers between two steps: its own type, which callers only pass back."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Base of each architecture's hyperparameters: frozen, keyword-only, checked when made.

    A field of the same name means the same thing in every architecture, so that a flat table of
    hyperparameters can hold several architectures side by side.
    """

    def __post_init__(self) -> None:
        """Hold every field to its range."""
        check_fields(self)


class LanguageModel(nn.Module, ABC):
    """A causal language model: the logits at time t predict token t+1 from the ids up to t."""

    vocab_size: int
    block_size: int

    @property
    def max_context(self) -> int | None:
        """Most tokens that a cache may hold; None where there is no limit."""
        return self.block_size

    @abstractmethod
    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]` for token ids `[B, T]` (int64)."""

    @abstractmethod
    def init_cache(self, batch_size: int) -> Cache:
        """Return the memory of `batch_size` sequences that have seen nothing yet."""

    @abstractmethod
    def step(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Read further tokens of each sequence.

        Args:
            ids_BT: tokens that follow those already read: first the whole prompt, then as a rule
                one token at a time.
            cache: what `init_cache` or the step before returned. It may be changed in place: go
                on with the returned cache, never with the one that was passed.

        Returns:
            logits `[B, T, V]` of these tokens, as `forward` over the whole sequence gives them,
            and the cache for the next step.

        Raises:
            ValueError: the sequences would grow beyond `max_context`.
        """

    @abstractmethod
    def token_vectors(self) -> Tensor:
        """Return one vector per token, `[V, size]`: where the model keeps what a token means."""


class HeadedModel(LanguageModel):
    """A language model that ends in a linear head over features of each token."""

    head: nn.Linear

    @abstractmethod
    def features(self, ids_BT: Tensor) -> Tensor:
        """Return what the head reads, `[B, T, size]`, for token ids `[B, T]`."""

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]` for token ids `[B, T]`."""
        return self.head(self.features(ids_BT))  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One family of models, as it is registered."""

    config_class: type[ModelConfig]
    """Its hyperparameters; every default lives there."""
    build: Callable[[Any, int, int], LanguageModel]
    """`build(config, vocab_size, block_size)`: weights come from torch's global generator."""
    flops_per_token: Callable[[Any, int, int], float]
    """`flops_per_token(config, vocab_size, block_size)`: forward only, averaged over a block; a
    multiplication with its addition counts as 2, and only matrix products count."""
    activations_per_token: Callable[[Any, int, int], float]
    """`activations_per_token(config, vocab_size, block_size)`: about how many numbers training
    keeps for the backward pass, logits and their gradient left out."""
    repeats: str | None = None
    """The field that says how often a layer is repeated, where every layer from the second on has
    as many parameters as the second: deep models are counted from shallow ones."""
