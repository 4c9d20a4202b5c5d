"""The architectures as one would write them by hand in plain PyTorch: peers of the benchmarks.

Each has as many parameters as ours of the same settings. Shape suffixes: B batch, T time, D width,
E embed size, H heads, K context, N numbers a head, V vocabulary.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional


class PlainKGram(nn.Module):
    """Embedded windows through a multilayer perceptron."""

    def __init__(self, settings: Mapping[str, Any], vocab_size: int, _: int) -> None:
        super().__init__()
        self.context_size = settings["context_size"]
        self.embedding = nn.Embedding(vocab_size, settings["embed_size"])
        self.layers = nn.Sequential(
            nn.Linear(self.context_size * settings["embed_size"], settings["hidden_size"]),
            nn.GELU(),
            nn.Linear(settings["hidden_size"], vocab_size),
        )

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]`; before the text stands token 0."""
        windows_BTK = functional.pad(ids_BT, (self.context_size - 1, 0)).unfold(
            1, self.context_size, 1
        )
        return self.layers(self.embedding(windows_BTK).flatten(2))  # type: ignore[no-any-return]


class PlainLSTM(nn.Module):
    """Embedding, `nn.LSTM`, head."""

    def __init__(self, settings: Mapping[str, Any], vocab_size: int, _: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, settings["embed_size"])
        self.lstm = nn.LSTM(settings["embed_size"], settings["hidden_size"], batch_first=True)
        self.head = nn.Linear(settings["hidden_size"], vocab_size)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]`."""
        return self.head(self.lstm(self.embedding(ids_BT))[0])  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, width: int, num_heads: int, *, linear: bool) -> None:
        super().__init__()
        self.num_heads, self.linear = num_heads, linear
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return `[B, T, D]`."""
        x_BTD = x_BTD + self.out(self._mix(self.norms[0](x_BTD)))
        return x_BTD + self.mlp(self.norms[1](x_BTD))  # type: ignore[no-any-return]

    def _mix(self, x_BTD: Tensor) -> Tensor:
        q_BHTN, k_BHTN, v_BHTN = (
            part.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for part in self.qkv(x_BTD).chunk(3, dim=2)
        )
        if not self.linear:
            mixed = functional.scaled_dot_product_attention(q_BHTN, k_BHTN, v_BHTN, is_causal=True)
            return mixed.transpose(1, 2).flatten(2)
        q_BHTN, k_BHTN = functional.elu(q_BHTN) + 1, functional.elu(k_BHTN) + 1
        weights_BHTT = (q_BHTN @ k_BHTN.transpose(2, 3)).tril()
        mixed = weights_BHTT @ v_BHTN / weights_BHTT.sum(3, keepdim=True)
        return mixed.transpose(1, 2).flatten(2)  # type: ignore[no-any-return]


class PlainTransformer(nn.Module):
    """GPT-2's layout without offsets: learned places, layer norms before, tied head."""

    def __init__(
        self, settings: Mapping[str, Any], vocab_size: int, block_size: int, *, linear: bool = False
    ) -> None:
        super().__init__()
        width = settings["embed_size"]
        self.embedding = nn.Embedding(vocab_size, width)
        self.places = nn.Embedding(block_size, width)
        self.blocks = nn.Sequential(
            *(
                _Block(width, settings["num_heads"], linear=linear)
                for _ in range(settings["num_layers"])
            )
        )
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, vocab_size, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]`."""
        places_T = torch.arange(ids_BT.shape[1])
        x_BTD = self.embedding(ids_BT) + self.places(places_T)
        return self.head(self.norm(self.blocks(x_BTD)))  # type: ignore[no-any-return]


def _linear(settings: Mapping[str, Any], vocab_size: int, block_size: int) -> PlainTransformer:
    return PlainTransformer(settings, vocab_size, block_size, linear=True)


PLAIN: Final[dict[str, Callable[[Mapping[str, Any], int, int], nn.Module]]] = {
    "kgram": PlainKGram,
    "lstm": PlainLSTM,
    "transformer": PlainTransformer,
    "linear_transformer": _linear,
}
