"""Causal linear attention in chunks: time and memory linear in T.

Source: Katharopoulos et al. 2020, https://arxiv.org/abs/2006.16236 (kernel and recurrence);
Hua et al. 2022, https://arxiv.org/abs/2202.10447 (chunks: quadratic inside, a state across).

Shape suffixes: B batch, H heads, T time, N chunks, C time steps a chunk, K numbers a head.
"""

import torch
from torch import Tensor
from torch.nn import functional


def feature_map(x: Tensor) -> Tensor:
    """Return elu(x) + 1, which is positive."""
    return functional.elu(x) + 1


def weighted_values(
    q_BHTK: Tensor,
    k_BHTK: Tensor,
    v_BHTK: Tensor,
    *,
    chunk_size: int,
    state_BHKK: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return `sum over s <= t of (q_t · k_s) v_s` for every t.

    Args:
        q_BHTK: queries, feature map applied.
        k_BHTK: keys, feature map applied.
        v_BHTK: values to sum.
        chunk_size: time steps worked on at once: changes time and memory, never the result.
        state_BHKK: `sum of k_s v_sᵀ` over all time steps before the first; None if there are none.

    Returns:
        sums `[B, H, T, K]`, and the state after the last time step.
    """
    length = q_BHTK.shape[2]
    size = min(chunk_size, length)
    extra = -length % size
    q, k, v = (_in_chunks(x, size, extra) for x in (q_BHTK, k_BHTK, v_BHTK))
    # A product with a mask: tril and its gradient copy row by row.
    inside_BHNCC = (q @ k.transpose(-1, -2)).mul_(q.new_ones(size, size).tril())
    sums_BHNCK = inside_BHNCC @ v
    states_BHNKK = (k.transpose(-1, -2) @ v).cumsum(2)
    if state_BHKK is not None:
        before_BHNKK = torch.cat([torch.zeros_like(states_BHNKK[:, :, :1]), states_BHNKK], dim=2)
        before_BHNKK = before_BHNKK + state_BHKK.unsqueeze(2)
        sums_BHNCK = sums_BHNCK + q @ before_BHNKK[:, :, :-1]
        last_BHKK = before_BHNKK[:, :, -1]
    else:
        if length > size:
            later_BHNCK = q[:, :, 1:] @ states_BHNKK[:, :, :-1]
            sums_BHNCK = sums_BHNCK + functional.pad(later_BHNCK, (0, 0, 0, 0, 1, 0))
        last_BHKK = states_BHNKK[:, :, -1]
    return sums_BHNCK.flatten(2, 3)[:, :, :length], last_BHKK


def weight_totals(
    q_BHTK: Tensor, k_BHTK: Tensor, total_BHK: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return `sum over s <= t of q_t · k_s` for every t, `[B, H, T]`, and the sum of the keys."""
    totals_BHTK = k_BHTK.cumsum(2)
    if total_BHK is not None:
        totals_BHTK = totals_BHTK + total_BHK.unsqueeze(2)
    return (q_BHTK * totals_BHTK).sum(-1), totals_BHTK[:, :, -1]


def _in_chunks(x_BHTK: Tensor, size: int, extra: int) -> Tensor:
    """Return `[B, H, N, C, K]`; zero rows fill the last chunk and add nothing to any sum."""
    if extra:
        x_BHTK = functional.pad(x_BHTK, (0, 0, 0, extra))
    return x_BHTK.reshape(*x_BHTK.shape[:2], -1, size, x_BHTK.shape[-1])
