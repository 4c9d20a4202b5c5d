"""Causal self-attention: softmax or linear, each with its cache.

Shape suffixes: B batch, T time, S time of the keys, D embed size, H heads, G twice as
many (the queries', then the keys'), K numbers a head.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from picosweep.pico.models.layers.linear_attention import (
    feature_map,
    weight_totals,
    weighted_values,
)
from picosweep.pico.models.layers.positions import Rotary

FP32_TOKENS: Final = 512
"""Tokens up to which softmax attention is faster in fp32 on a CPU, casts included: 3.9 for 13.6 ms
of bf16 at 64 tokens of 32 sequences, 22.6 for 23.2 at 512 of four, 33.6 for 26.1 at 1,024 of two
(AMD EPYC, one thread)."""


@dataclass(kw_only=True)
class SoftmaxCache:
    """The keys and values of the tokens read so far, in room for a whole block: `[B, H, S, K]`."""

    keys: Tensor
    values: Tensor
    length: int = 0


@dataclass(kw_only=True)
class LinearCache:
    """Two running sums that stand for all tokens read so far: `[B, H, K, K]` and `[B, H, K]`."""

    state: Tensor
    total: Tensor
    length: int = 0


class SoftmaxMixing(nn.Module):
    """Mixing of values by the softmax of scaled products of queries and keys."""

    def __init__(self, *, dropout: float, rotary: Rotary | None) -> None:
        super().__init__()
        self.dropout, self.rotary = dropout, rotary

    def forward(self, qk_BTGK: Tensor, v_BTHK: Tensor, cache: SoftmaxCache | None = None) -> Tensor:
        """Return `[B, T, H, K]`; with a cache, tokens before these are seen too.

        On a CPU it works in fp32 whatever the format of the rest, unless there are many tokens:
        torch's fused attention takes up to five times as long there in bf16.
        """
        in_bf16 = v_BTHK.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if in_bf16 and v_BTHK.shape[1] <= FP32_TOKENS:
            with torch.autocast("cpu", enabled=False):
                return self._mix(qk_BTGK.float(), v_BTHK.float(), cache)
        return self._mix(qk_BTGK, v_BTHK, cache)

    def _mix(self, qk_BTGK: Tensor, v_BTHK: Tensor, cache: SoftmaxCache | None) -> Tensor:
        num_seen, num_new = cache.length if cache else 0, v_BTHK.shape[1]
        if self.rotary is not None:
            qk_BTGK = self.rotary(qk_BTGK, num_seen)
        q, k = qk_BTGK.transpose(1, 2).chunk(2, dim=1)
        v = v_BTHK.transpose(1, 2)
        mask_TS = None
        if cache is not None:
            cache.length = num_seen + num_new
            cache.keys[:, :, num_seen : cache.length] = k
            cache.values[:, :, num_seen : cache.length] = v
            k = cache.keys[:, :, : cache.length]
            v = cache.values[:, :, : cache.length]
            if num_seen and num_new > 1:
                mask_TS = k.new_ones(num_new, cache.length, dtype=torch.bool).tril(num_seen)
        mixed_BHTK = functional.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask_TS,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=num_seen == 0 and num_new > 1,
        )
        return mixed_BHTK.transpose(1, 2)

    def init_cache(self, like_BTHK: Tensor) -> SoftmaxCache:
        """Return an empty cache with the batch, room, heads, type and device of `like_BTHK`."""
        room_BHSK = like_BTHK.transpose(1, 2)
        return SoftmaxCache(keys=torch.zeros_like(room_BHSK), values=torch.zeros_like(room_BHSK))


class LinearMixing(nn.Module):
    """Mixing of values by products of positive features of queries and keys, in linear time.

    Rotary angles turn the features in the numerator only, so that the denominator stays positive.

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 19.
    """

    def __init__(self, *, chunk_size: int, rotary: Rotary | None) -> None:
        super().__init__()
        self.chunk_size, self.rotary = chunk_size, rotary

    def forward(self, qk_BTGK: Tensor, v_BTHK: Tensor, cache: LinearCache | None = None) -> Tensor:
        """Return `[B, T, H, K]`; with a cache, tokens before these are seen too."""
        # Sums over a whole block lose too much in 16 bits.
        with torch.autocast(v_BTHK.device.type, enabled=False):
            qk_BTGK = feature_map(qk_BTGK.float())
            q_BHTK, k_BHTK = qk_BTGK.transpose(1, 2).chunk(2, dim=1)
            totals_BHT, total_BHK = weight_totals(q_BHTK, k_BHTK, cache.total if cache else None)
            if self.rotary is not None:
                qk_BTGK = self.rotary(qk_BTGK, cache.length if cache else 0)
                q_BHTK, k_BHTK = qk_BTGK.transpose(1, 2).chunk(2, dim=1)
            sums_BHTK, state_BHKK = weighted_values(
                q_BHTK,
                k_BHTK,
                v_BTHK.transpose(1, 2).float(),
                chunk_size=self.chunk_size,
                state_BHKK=cache.state if cache else None,
            )
        if cache is not None:
            cache.state, cache.total = state_BHKK, total_BHK
            cache.length += v_BTHK.shape[1]
        return (sums_BHTK / totals_BHT.unsqueeze(-1)).transpose(1, 2)

    def init_cache(self, like_BTHK: Tensor) -> LinearCache:
        """Return zero sums with the batch, heads and device of `like_BTHK`."""
        batch, _, heads, size = like_BTHK.shape
        zeros = torch.zeros(batch, heads, size, size, device=like_BTHK.device)
        return LinearCache(state=zeros, total=zeros[..., 0])


class Attention(nn.Module):
    """Projection to queries, keys and values, their mixing, and projection back."""

    def __init__(
        self,
        mixing: SoftmaxMixing | LinearMixing,
        *,
        embed_size: int,
        num_heads: int,
        qk_norm: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        self.mixing, self.num_heads, self.qk_norm = mixing, num_heads, qk_norm
        self.qkv = nn.Linear(embed_size, 3 * embed_size, bias=bias)
        self.out = nn.Linear(embed_size, embed_size, bias=bias)

    def forward(self, x_BTD: Tensor, cache: SoftmaxCache | LinearCache | None = None) -> Tensor:
        """Return `[B, T, D]`: what each token takes from those up to it."""
        head_size = x_BTD.shape[-1] // self.num_heads
        qkv_BTGK = self.qkv(x_BTD).unflatten(-1, (-1, head_size))
        qk_BTGK, v_BTHK = qkv_BTGK.split((2 * self.num_heads, self.num_heads), dim=2)
        if self.qk_norm:
            qk_BTGK = functional.rms_norm(qk_BTGK, (head_size,))
        mixed_BTHK = self.mixing(qk_BTGK, v_BTHK, cache)
        return self.out(mixed_BTHK.flatten(2).type_as(x_BTD))  # type: ignore[no-any-return]

    def init_cache(self, batch_size: int, block_size: int) -> SoftmaxCache | LinearCache:
        """Return a cache for `batch_size` sequences of up to `block_size` tokens."""
        weight = self.out.weight
        head_size = weight.shape[0] // self.num_heads
        like_BTHK = weight.new_empty(1).expand(batch_size, block_size, self.num_heads, head_size)
        return self.mixing.init_cache(like_BTHK)
