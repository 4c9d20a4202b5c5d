"""Linear attention against its definition: a double loop over time."""

import pytest
import torch
from torch import Tensor

from picosweep.pico.models.layers.linear_attention import (
    feature_map,
    weight_totals,
    weighted_values,
)

SHAPE = (2, 3, 13, 4)


def features() -> tuple[Tensor, Tensor, Tensor]:
    return feature_map(torch.randn(SHAPE)), feature_map(torch.randn(SHAPE)), torch.randn(SHAPE)


def slow(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
    sums_BHTK, totals_BHT = torch.zeros_like(v_BHTK), torch.zeros_like(v_BHTK[..., 0])
    for new in range(q_BHTK.shape[2]):
        for old in range(new + 1):
            weight_BH = (q_BHTK[:, :, new] * k_BHTK[:, :, old]).sum(-1)
            sums_BHTK[:, :, new] += weight_BH.unsqueeze(-1) * v_BHTK[:, :, old]
            totals_BHT[:, :, new] += weight_BH
    return sums_BHTK, totals_BHT


@pytest.mark.parametrize("chunk_size", [1, 4, 5, 13, 64])
def test_matches_double_loop(chunk_size: int) -> None:
    """Whatever the chunk size, sums and totals are those of the double loop."""
    q, k, v = features()
    sums, totals = slow(q, k, v)
    torch.testing.assert_close(weighted_values(q, k, v, chunk_size=chunk_size)[0], sums)
    torch.testing.assert_close(weight_totals(q, k)[0], totals)


@pytest.mark.parametrize("chunk_size", [3, 64])
@pytest.mark.parametrize("split", [1, 6, 12])
def test_state_stands_for_all_before(chunk_size: int, split: int) -> None:
    """Reading the rest from the state of the first part gives what reading all at once gives."""
    q, k, v = features()
    sums, totals = slow(q, k, v)
    first = [x[:, :, :split] for x in (q, k, v)]
    rest = [x[:, :, split:] for x in (q, k, v)]
    _, state = weighted_values(*first, chunk_size=chunk_size)
    _, total = weight_totals(*first[:2])
    got, _ = weighted_values(*rest, chunk_size=chunk_size, state_BHKK=state)
    torch.testing.assert_close(got, sums[:, :, split:])
    torch.testing.assert_close(weight_totals(*rest[:2], total)[0], totals[:, :, split:])


def test_gradients_are_right() -> None:
    """The gradients agree with finite differences, chunked and not."""
    inputs = [torch.rand(1, 2, 7, 3, dtype=torch.double, requires_grad=True) for _ in range(3)]
    for chunk_size in (2, 64):
        assert torch.autograd.gradcheck(
            lambda q, k, v, size=chunk_size: weighted_values(q, k, v, chunk_size=size)[0], inputs
        )


def test_feature_map_is_elu_plus_one() -> None:
    """The features are elu(x) + 1 and positive."""
    x = torch.tensor([-2.0, 0.0, 3.0])
    torch.testing.assert_close(feature_map(x), torch.tensor([0.1353353, 1.0, 4.0]))
