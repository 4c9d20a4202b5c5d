"""The K-gram model: a multilayer perceptron over the last `context_size` tokens.

Source: Bengio et al. 2003, "A Neural Probabilistic Language Model".

Shape suffixes: B batch, T time, K tokens of context, E embed size, H hidden size, V vocabulary,
W width of the first layer's input (K·E).
"""

from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from picosweep.pico.field_checks import Count, CountFromZero
from picosweep.pico.models.interface import Architecture, Cache, HeadedModel, ModelConfig
from picosweep.pico.models.layers.activations import ACTIVATIONS
from picosweep.pico.models.layers.norms import Norm, make_norm
from picosweep.pico.models.layers.row_sums import add_rows

Input = Literal["embedded", "onehot"]
Activation = Literal["relu", "gelu", "silu", "tanh"]


INITIAL_SPREAD: Final = 0.3
"""Standard deviation of what the first layer starts from: at the learning rates that train fastest,
0.3 ends 0.1 to 0.2 nats lower after 300 steps than 1, and 0.1 no lower."""


@dataclass(frozen=True, kw_only=True)
class KGramConfig(ModelConfig):
    """Hyperparameters of the K-gram model."""

    context_size: Count = 3
    """How many tokens, the newest included, the prediction may look at."""
    input: Input = "embedded"
    """`embedded` tokens share one table over all places of the context; `onehot` gives each
    token at each place its own row of the first layer."""
    embed_size: Count = 64
    """Length of a token's vector; a one-hot input does not use it."""
    hidden_size: Count = 256
    """Width of every hidden layer."""
    num_inner_layers: CountFromZero = 0
    """Hidden layers after the first."""
    activation: Activation = "gelu"
    """What follows each hidden layer."""
    norm: Norm = "none"
    """What normalises each hidden layer, before its activation."""
    chunk_size: Count | None = None
    """Time steps worked on at once (None: all). Bounds memory, never changes the result."""


class EmbeddedContext(nn.Module):
    """First layer over embedded tokens: the K vectors side by side, times one matrix."""

    def __init__(self, config: KGramConfig, vocab_size: int) -> None:
        super().__init__()
        self.context_size = config.context_size
        self.embedding = nn.Embedding(vocab_size, config.embed_size)
        nn.init.normal_(self.embedding.weight, std=INITIAL_SPREAD)
        self.linear = nn.Linear(config.context_size * config.embed_size, config.hidden_size)

    def forward(self, ids_BT: Tensor, length: int) -> Tensor:
        """Return `[B, length, H]` for the last `length` of the ids; -1 stands for no token."""
        windows_BTK = ids_BT.unfold(1, self.context_size, 1)[:, -length:]
        table_VE = self.embedding.weight
        # One row more: no token has a vector of zeros.
        rows = torch.cat([table_VE, table_VE.new_zeros(1, table_VE.shape[1])])
        embedded_BTKE = functional.embedding(
            torch.where(windows_BTK < 0, len(table_VE), windows_BTK), rows
        )
        return self.linear(embedded_BTKE.flatten(2))  # type: ignore[no-any-return]

    def token_vectors(self) -> Tensor:
        """Return the embedding, `[V, E]`."""
        return self.embedding.weight


class OneHotContext(nn.Module):
    """First layer over one-hot tokens: one row for each token at each place, looked up and added.

    The product of a one-hot row and a matrix is one row of that matrix, so no V-wide row is built.
    """

    def __init__(self, config: KGramConfig, vocab_size: int) -> None:
        super().__init__()
        self.context_size, self.vocab_size = config.context_size, vocab_size
        self.rows = nn.Parameter(torch.empty(config.context_size * vocab_size, config.hidden_size))
        self.bias = nn.Parameter(torch.zeros(config.hidden_size))
        # One row is added for each place: the sum then has the same spread for any number of them.
        nn.init.normal_(self.rows, std=INITIAL_SPREAD * config.context_size**-0.5)

    def forward(self, ids_BT: Tensor, length: int) -> Tensor:
        """Return `[B, length, H]` for the last `length` of the ids; -1 stands for no token."""
        windows_BTK = ids_BT.unfold(1, self.context_size, 1)[:, -length:]
        places_K = torch.arange(self.context_size, device=ids_BT.device) * self.vocab_size
        ids_BTK = torch.where(windows_BTK < 0, len(self.rows), windows_BTK + places_K)
        hidden = add_rows(self.rows, ids_BTK.flatten(0, 1))
        return hidden.view(*windows_BTK.shape[:2], -1) + self.bias

    def token_vectors(self) -> Tensor:
        """Return the newest token's rows, `[V, H]`."""
        return self.rows[-self.vocab_size :]


class KGram(HeadedModel):
    """The model: context layer, hidden layers, head."""

    def __init__(self, config: KGramConfig, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.vocab_size, self.block_size = vocab_size, block_size
        self.context_size, self.chunk_size = config.context_size, config.chunk_size
        self.activation = ACTIVATIONS[config.activation]
        size = config.hidden_size
        first = OneHotContext if config.input == "onehot" else EmbeddedContext
        self.context = first(config, vocab_size)
        self.inner = nn.ModuleList(nn.Linear(size, size) for _ in range(config.num_inner_layers))
        self.norms = nn.ModuleList(
            make_norm(config.norm, size, bias=True) for _ in range(config.num_inner_layers + 1)
        )
        self.head = nn.Linear(size, vocab_size)

    @property
    def max_context(self) -> None:
        """None: it never looks further back than `context_size`, however long the text."""
        return None

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return the last hidden layer, `[B, T, H]`, for token ids `[B, T]`."""
        return self._features(functional.pad(ids_BT, (self.context_size - 1, 0), value=-1))

    def init_cache(self, batch_size: int) -> Cache:
        """Return the last `context_size - 1` ids, none of them there yet (-1)."""
        device = self.head.weight.device
        return torch.full((batch_size, self.context_size - 1), -1, device=device)

    def step(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of further tokens and the ids that the next ones will look at."""
        padded_BT = torch.cat([cache, ids_BT], dim=1)
        logits_BTV = self.head(self._features(padded_BT))
        return logits_BTV, padded_BT[:, padded_BT.shape[1] - self.context_size + 1 :]

    def token_vectors(self) -> Tensor:
        """Return one vector per token from the first layer."""
        return self.context.token_vectors()

    def _features(self, padded_BT: Tensor) -> Tensor:
        """Return the last hidden layer for all but the first `context_size - 1` ids."""
        before = self.context_size - 1
        length = padded_BT.shape[1] - before
        size = self.chunk_size or length
        if size >= length:
            return self._hidden(padded_BT, length)
        chunks = []
        for start in range(0, length, size):
            chunk = padded_BT[:, start : start + size + before]
            width = chunk.shape[1] - before
            if torch.is_grad_enabled():
                # Recomputed in the backward pass: else each chunk's activations would be kept
                # and chunking would bound nothing.
                hidden = checkpoint(self._hidden, chunk, width, use_reentrant=False)
            else:
                hidden = self._hidden(chunk, width)
            chunks.append(hidden)
        return torch.cat(chunks, dim=1)

    def _hidden(self, padded_BT: Tensor, length: int) -> Tensor:
        hidden_BTH = self.activation(self.norms[0](self.context(padded_BT, length)))
        for linear, norm in zip(self.inner, self.norms[1:], strict=True):
            hidden_BTH = self.activation(norm(linear(hidden_BTH)))
        return hidden_BTH


def flops_per_token(config: KGramConfig, vocab_size: int, block_size: int) -> float:
    """Return forward FLOPs per token: the same at every place of a block."""
    del block_size
    size = config.hidden_size
    products = config.num_inner_layers * size * size + size * vocab_size
    if config.input == "embedded":
        products += config.context_size * config.embed_size * size
    return 2.0 * products


def activations_per_token(config: KGramConfig, vocab_size: int, block_size: int) -> float:
    """Return about how many numbers a token leaves for the backward pass."""
    del vocab_size
    layers = config.num_inner_layers + 1
    a_layer = config.hidden_size * (2 if config.norm == "none" else 4)
    width = config.context_size * (config.embed_size if config.input == "embedded" else 1)
    inside = width + layers * a_layer
    if config.chunk_size is None or config.chunk_size >= block_size:
        return inside
    return config.hidden_size + inside * config.chunk_size / block_size


KGRAM = Architecture(
    config_class=KGramConfig,
    build=KGram,
    flops_per_token=flops_per_token,
    activations_per_token=activations_per_token,
    repeats="num_inner_layers",
)
