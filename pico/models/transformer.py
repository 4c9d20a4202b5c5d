"""The decoder-only Transformer, with softmax or linear attention.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Radford et al. 2019 (GPT-2's
layout and initial weights).

Shape suffixes: B batch, T time, D embed size, F width of the MLP, V vocabulary.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from picosweep.pico.errors import FieldError
from picosweep.pico.field_checks import Count, Positive, Share, check_divides
from picosweep.pico.models.interface import Architecture, Cache, HeadedModel, ModelConfig
from picosweep.pico.models.layers.activations import ACTIVATIONS
from picosweep.pico.models.layers.attention import Attention, LinearMixing, SoftmaxMixing
from picosweep.pico.models.layers.norms import make_norm
from picosweep.pico.models.layers.positions import Rotary, sinusoidal_vectors

Activation = Literal["relu", "gelu", "silu", "tanh", "relu2"]
AttentionKind = Literal["softmax", "linear"]
Position = Literal["learned", "sinusoidal", "rotary", "none"]
BlockNorm = Literal["rms", "layer"]
Placement = Literal["pre", "post"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(ModelConfig):
    """Hyperparameters of the Transformer."""

    num_layers: Count = 2
    """Blocks of attention and MLP on top of each other."""
    num_heads: Count = 4
    """Attention heads; must divide `embed_size`."""
    embed_size: Count = 64
    """Length of a token's vector, and width of the residual stream."""
    mlp_ratio: Positive = 4.0
    """Width of the MLP over `embed_size`; the width is rounded to a whole number."""
    activation: Activation = "gelu"
    """The MLP's activation; `relu2` is the square of relu."""
    dropout: Share = 0.0
    """Share of numbers dropped in training: after the embedding, in softmax attention's weights,
    and at the end of each attention and MLP."""
    attention: AttentionKind = "softmax"
    """How tokens are mixed: `softmax`, or `linear` with features elu + 1."""
    chunk_size: Count = 64
    """Time steps that linear attention works on at once: time and memory, never the result."""
    position: Position = "rotary"
    """How a token knows its place: vectors added to the embedding (`learned`, `sinusoidal`),
    angles in attention (`rotary`), or not at all (`none`)."""
    norm: BlockNorm = "rms"
    """What normalises the residual stream."""
    norm_placement: Placement = "pre"
    """`pre`: before attention and MLP, and once at the end; `post`: after each is added."""
    tied_head: bool = False
    """Whether the head uses the embedding's table."""
    qk_norm: bool = False
    """Whether each head's queries and keys are brought to unit mean square."""
    bias: bool = False
    """Whether linear layers and layer norms have an offset; the head never has."""

    def __post_init__(self) -> None:
        """Check every field, and those that have to fit each other."""
        super().__post_init__()
        check_divides("embed_size", self.embed_size, "num_heads", self.num_heads)
        if self.mlp_size < 1:
            least = f"at least {1 / self.embed_size:g}, one number for embed_size {self.embed_size}"
            raise FieldError(
                field="mlp_ratio", found=self.mlp_ratio, allowed=least, involved=("embed_size",)
            )
        if self.position == "rotary":
            check_divides("embed_size", self.embed_size, "2 * num_heads", 2 * self.num_heads)

    @property
    def mlp_size(self) -> int:
        """The width of the MLP."""
        return round(self.mlp_ratio * self.embed_size)


@dataclass(frozen=True, kw_only=True)
class LinearTransformerConfig(TransformerConfig):
    """Hyperparameters of the Transformer, with linear attention unless set otherwise."""

    attention: AttentionKind = "linear"
    """How tokens are mixed: `linear` with features elu + 1, or `softmax`."""


class MLP(nn.Module):
    """The part of a block that looks at one token at a time."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.up = nn.Linear(config.embed_size, config.mlp_size, bias=config.bias)
        self.down = nn.Linear(config.mlp_size, config.embed_size, bias=config.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return `[B, T, D]`."""
        return self.down(self.activation(self.up(x_BTD)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, then MLP, each added to the residual stream."""

    def __init__(self, config: TransformerConfig, rotary: Rotary | None) -> None:
        super().__init__()
        self.post, self.dropout = config.norm_placement == "post", config.dropout
        mixing = (
            LinearMixing(chunk_size=config.chunk_size, rotary=rotary)
            if config.attention == "linear"
            else SoftmaxMixing(dropout=config.dropout, rotary=rotary)
        )
        self.attention_norm = make_norm(config.norm, config.embed_size, bias=config.bias)
        self.attention = Attention(
            mixing,
            embed_size=config.embed_size,
            num_heads=config.num_heads,
            qk_norm=config.qk_norm,
            bias=config.bias,
        )
        self.mlp_norm = make_norm(config.norm, config.embed_size, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x_BTD: Tensor, cache: Cache = None) -> Tensor:
        """Return the residual stream `[B, T, D]` after this block."""
        if self.post:
            x_BTD = self.attention_norm(x_BTD + self._drop(self.attention(x_BTD, cache)))
            return self.mlp_norm(x_BTD + self._drop(self.mlp(x_BTD)))  # type: ignore[no-any-return]
        x_BTD = x_BTD + self._drop(self.attention(self.attention_norm(x_BTD), cache))
        return x_BTD + self._drop(self.mlp(self.mlp_norm(x_BTD)))

    def _drop(self, x_BTD: Tensor) -> Tensor:
        if self.training and self.dropout:
            return functional.dropout(x_BTD, self.dropout)
        return x_BTD


class Transformer(HeadedModel):
    """The model: embedding, blocks, head."""

    places: Tensor | None
    """One vector per place, `[block_size, D]`, where position is learned or sinusoidal."""

    def __init__(self, config: TransformerConfig, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.vocab_size, self.block_size = vocab_size, block_size
        self.dropout = config.dropout
        size = config.embed_size
        self.embedding = nn.Embedding(vocab_size, size)
        if config.position == "learned":
            self.places = nn.Parameter(torch.empty(block_size, size))
        else:
            fixed = config.position == "sinusoidal"
            places = sinusoidal_vectors(block_size, size) if fixed else None
            self.register_buffer("places", places, persistent=False)
        rotary = Rotary(block_size, 2 * config.num_heads, size // config.num_heads)
        self.blocks = nn.ModuleList(
            Block(config, rotary if config.position == "rotary" else None)
            for _ in range(config.num_layers)
        )
        pre = config.norm_placement == "pre"
        self.norm = make_norm(config.norm, size, bias=config.bias) if pre else nn.Identity()
        self.head = nn.Linear(size, vocab_size, bias=False)
        self._init_weights()
        if config.tied_head:
            self.head.weight = self.embedding.weight

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return the residual stream `[B, T, D]` for token ids `[B, T]`, T at most `block_size`."""
        return self._features(ids_BT, [None] * len(self.blocks), 0)

    def init_cache(self, batch_size: int) -> Cache:
        """Return an empty cache for each block."""
        caches = []
        for block in self.blocks:
            assert isinstance(block, Block)
            caches.append(block.attention.init_cache(batch_size, self.block_size))
        return caches

    def step(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of further tokens and the cache with them in it."""
        return self.head(self._features(ids_BT, cache, cache[0].length)), cache

    def token_vectors(self) -> Tensor:
        """Return the embedding, `[V, D]`."""
        return self.embedding.weight

    def _features(self, ids_BT: Tensor, caches: list[Cache], start: int) -> Tensor:
        end = start + ids_BT.shape[1]
        if end > self.block_size:
            raise ValueError(f"{end} tokens; allowed: at most block_size ({self.block_size})")
        x_BTD = self.embedding(ids_BT)
        if self.places is not None:
            x_BTD = x_BTD + self.places[start:end]
        if self.training and self.dropout:
            x_BTD = functional.dropout(x_BTD, self.dropout)
        for block, cache in zip(self.blocks, caches, strict=True):
            x_BTD = block(x_BTD, cache)
        return self.norm(x_BTD)  # type: ignore[no-any-return]

    def _init_weights(self) -> None:
        """Draw GPT-2's initial weights: what writes to the residual stream starts smaller."""
        into_residual = (2 * len(self.blocks)) ** -0.5
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim > 1:
                scale = into_residual if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)


def flops_per_token(config: TransformerConfig, vocab_size: int, block_size: int) -> float:
    """Return forward FLOPs per token, averaged over a block: the mean token sees half of it."""
    size = config.embed_size
    products = config.num_layers * (4 * size**2 + 2 * size * config.mlp_size) + size * vocab_size
    if config.attention == "linear":
        mixing = 2 * size * (size // config.num_heads) + size
    else:
        mixing = size * (block_size + 1)
    return 2.0 * (products + config.num_layers * mixing)


def activations_per_token(config: TransformerConfig, vocab_size: int, block_size: int) -> float:
    """Return about how many numbers a token leaves for the backward pass."""
    del vocab_size
    size = config.embed_size
    # Two norms with their inputs, queries, keys, values and what was mixed; the MLP before and
    # after its activation.
    a_block = 8.0 * size + 2.0 * config.mlp_size
    if config.position == "rotary":
        a_block += 2.0 * size
    if config.attention == "linear":
        chunk = min(config.chunk_size, block_size)
        a_block += 6.0 * size + config.num_heads * chunk
    if config.dropout:
        # Softmax attention with dropout has no fused kernel on CPUs: whole squares are kept.
        squares = 3.0 * config.num_heads * block_size if config.attention == "softmax" else 0.0
        a_block += 3.0 * size + squares
    return config.num_layers * a_block + 2.0 * size


TRANSFORMER = Architecture(
    config_class=TransformerConfig,
    build=Transformer,
    flops_per_token=flops_per_token,
    activations_per_token=activations_per_token,
    repeats="num_layers",
)

LINEAR_TRANSFORMER = Architecture(
    config_class=LinearTransformerConfig,
    build=Transformer,
    flops_per_token=flops_per_token,
    activations_per_token=activations_per_token,
    repeats="num_layers",
)
