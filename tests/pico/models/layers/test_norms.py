"""Norms against PyTorch's own, values and gradients."""

import pytest
import torch
from torch.nn import functional

from picosweep.pico.models.layers.activations import ACTIVATIONS
from picosweep.pico.models.layers.norms import EPSILON, RMSNorm, make_norm


@pytest.mark.parametrize("shape", [(5, 8), (2, 3, 8), (2, 3, 4, 8)])
def test_rms_norm_by_hand_is_torchs(shape: tuple[int, ...]) -> None:
    """The kernel with the gradient by hand agrees with PyTorch's, transposed input included."""
    norm = RMSNorm(8)
    torch.nn.init.normal_(norm.weight)
    for x in (
        torch.randn(shape),
        torch.randn(shape).transpose(0, -2).contiguous().transpose(0, -2),
    ):
        ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        weight = norm.weight.detach().clone().requires_grad_()
        got, expected = norm(ours), functional.rms_norm(theirs, (8,), weight, EPSILON)
        torch.testing.assert_close(got, expected)
        direction = torch.randn_like(x)
        norm.weight.grad = None
        (got * direction).sum().backward()
        (expected * direction).sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad)
        torch.testing.assert_close(norm.weight.grad, weight.grad)


def test_row_of_zeros_stays_finite() -> None:
    """A row of zeros gives zeros and a finite gradient."""
    x = torch.zeros(2, 4, requires_grad=True)
    out = RMSNorm(4)(x)
    out.sum().backward()
    assert not out.any()
    assert x.grad.isfinite().all()


def test_other_types_go_through_torch() -> None:
    """Numbers of 16 bits keep their type."""
    assert RMSNorm(4).bfloat16()(torch.ones(2, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("kind", "bias", "num_params"),
    [("rms", True, 8), ("layer", True, 16), ("layer", False, 8), ("none", True, 0)],
)
def test_norms_by_name(kind: str, bias: bool, num_params: int) -> None:
    """Each kind has a scale, an offset only as a layer norm with bias; `none` has nothing."""
    norm = make_norm(kind, 8, bias=bias)
    assert sum(parameter.numel() for parameter in norm.parameters()) == num_params


def test_relu_squared() -> None:
    """`relu2` is the square of what is positive."""
    assert ACTIVATIONS["relu2"](torch.tensor([-2.0, 0.0, 3.0])).tolist() == [0.0, 0.0, 9.0]
