"""The LSTM language model.

Source: Hochreiter and Schmidhuber 1997; Zaremba et al. 2014, https://arxiv.org/abs/1409.2329 (where
dropout goes).

Shape suffixes: B batch, T time, E embed size, H hidden size, V vocabulary, L layers.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from picosweep.pico.field_checks import Count, Share
from picosweep.pico.models.interface import Architecture, Cache, HeadedModel, ModelConfig


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(ModelConfig):
    """Hyperparameters of the LSTM."""

    num_layers: Count = 1
    """LSTM layers on top of each other."""
    hidden_size: Count = 128
    """Width of each layer's state."""
    embed_size: Count = 64
    """Length of a token's vector."""
    dropout: Share = 0.0
    """Share of numbers dropped in training: on the embedding, between layers, before the head."""
    tied_head: bool = False
    """Whether the head uses the embedding's table. Where `hidden_size` differs from `embed_size`
    a linear map without bias leads from one to the other."""


class LSTM(HeadedModel):
    """The model: embedding, LSTM layers, head."""

    def __init__(self, config: LSTMConfig, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.vocab_size, self.block_size = vocab_size, block_size
        embed_size, hidden_size = config.embed_size, config.hidden_size
        self.dropout = config.dropout
        self._runs_in_bf16 = _cpu_runs_in_bf16()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(
            embed_size,
            hidden_size,
            num_layers=config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            batch_first=True,
        )
        self.projection: nn.Module = nn.Identity()
        head_size = hidden_size
        if config.tied_head and embed_size != hidden_size:
            self.projection = nn.Linear(hidden_size, embed_size, bias=False)
            head_size = embed_size
        self.head = nn.Linear(head_size, vocab_size)
        if config.tied_head:
            # A table that is also the head must start at the head's scale, or the first logits
            # are far too large.
            nn.init.normal_(self.embedding.weight, std=embed_size**-0.5)
            self.head.weight = self.embedding.weight

    @property
    def max_context(self) -> None:
        """None: the state has the same size however long the text."""
        return None

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return what the head reads for token ids `[B, T]`, from the zero state."""
        return self._features(ids_BT, None)[0]

    def init_cache(self, batch_size: int) -> Cache:
        """Return the zero state: hidden and cell, each `[L, B, H]`."""
        shape = (self.lstm.num_layers, batch_size, self.lstm.hidden_size)
        zeros = torch.zeros(shape, device=self.head.weight.device, dtype=self.head.weight.dtype)
        return zeros, zeros

    def step(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of further tokens and the state after them."""
        features, cache = self._features(ids_BT, cache)
        return self.head(features), cache

    def token_vectors(self) -> Tensor:
        """Return the embedding, `[V, E]`."""
        return self.embedding.weight

    def _features(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        embedded_BTE = functional.dropout(self.embedding(ids_BT), self.dropout, self.training)
        hidden_BTH, cache = self._run_layers(embedded_BTE, cache)
        hidden_BTH = functional.dropout(hidden_BTH, self.dropout, self.training)
        return self.projection(hidden_BTH), cache

    def _run_layers(self, embedded_BTE: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        on_cpu = embedded_BTE.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not on_cpu or self._runs_in_bf16:
            return self.lstm(embedded_BTE, cache)  # type: ignore[no-any-return]
        with torch.autocast("cpu", enabled=False):
            return self.lstm(embedded_BTE, cache)  # type: ignore[no-any-return]


@lru_cache
def _cpu_runs_in_bf16() -> bool:
    """Return whether the CPU has an LSTM under bf16 autocast: one without AVX-512 may raise."""
    # Drawing from torch's generator here would change what the model starts from.
    with torch.random.fork_rng(devices=[]):
        layer = nn.LSTM(1, 1, device="cpu")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.zeros(1, 1, 1, device="cpu"))
    except RuntimeError:
        return False
    return True


def flops_per_token(config: LSTMConfig, vocab_size: int, block_size: int) -> float:
    """Return forward FLOPs per token: the same at every place of a block."""
    del block_size
    embed_size, hidden_size = config.embed_size, config.hidden_size
    gates = 4 * hidden_size * (embed_size + hidden_size)
    gates += (config.num_layers - 1) * 8 * hidden_size**2
    head_size, projection = hidden_size, 0
    if config.tied_head and embed_size != hidden_size:
        head_size, projection = embed_size, hidden_size * embed_size
    return 2.0 * (gates + projection + head_size * vocab_size)


def activations_per_token(config: LSTMConfig, vocab_size: int, block_size: int) -> float:
    """Return about how many numbers a token leaves for the backward pass."""
    del vocab_size, block_size
    # Per layer: the gates, the cell state and the room that the CPU's fused kernel asks for.
    return config.embed_size + config.num_layers * 16.0 * config.hidden_size


LSTM_ARCHITECTURE = Architecture(
    config_class=LSTMConfig,
    build=LSTM,
    flops_per_token=flops_per_token,
    activations_per_token=activations_per_token,
    repeats="num_layers",
)
