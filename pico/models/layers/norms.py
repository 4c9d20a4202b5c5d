"""Norms over the last axis.

Shape suffixes: N rows, D numbers a row.
"""

from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

Norm = Literal["none", "rms", "layer"]

EPSILON: Final = 1e-6


def make_norm(kind: Norm, size: int, *, bias: bool) -> nn.Module:
    """Return a norm of that kind; `bias` adds an offset to the layer norm's scale."""
    if kind == "layer":
        return nn.LayerNorm(size, bias=bias)
    if kind == "rms":
        return RMSNorm(size)
    return nn.Identity()


class RMSNorm(nn.Module):
    """Scaling of each row to unit mean square, then by a learned weight.

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised over its last axis."""
        # PyTorch has a fused kernel on GPUs, but chains small operations on CPUs.
        if (
            x.device.type == "cpu"
            and x.dtype == torch.float32
            and not torch.compiler.is_compiling()
        ):
            return _FewPasses.apply(x, self.weight)  # type: ignore[no-any-return,no-untyped-call]
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), EPSILON)


class _FewPasses(torch.autograd.Function):
    """RMS norm with its gradient by hand, in as few passes over memory as there can be."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_D: Tensor) -> Tensor:
        x_ND = x.reshape(-1, x.shape[-1])
        norm_N1 = torch.linalg.vector_norm(x_ND, dim=-1, keepdim=True)
        scale_N1 = norm_N1.square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        unit_ND: Tensor = x_ND * scale_N1
        ctx.save_for_backward(unit_ND, scale_N1, weight_D)
        return (unit_ND * weight_D).view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        unit_ND, scale_N1, weight_D = ctx.saved_tensors
        grad_ND = grad.reshape(unit_ND.shape)
        product_ND = grad_ND * unit_ND
        shrink_N1 = torch.mv(product_ND, weight_D).div_(-len(weight_D)).unsqueeze(1)
        grad_x_ND = (grad_ND * weight_D).addcmul_(unit_ND, shrink_N1).mul_(scale_N1)
        return grad_x_ND.view(grad.shape), product_ND.sum(0)
