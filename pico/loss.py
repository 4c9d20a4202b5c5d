"""What training minimises, and the noise it may put on its input.

Shapes: B sequences, T positions, V vocabulary, N = B·T positions in one row.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pico.data.batches import IGNORED


def training_loss(
    logits_NV: Tensor, y_N: Tensor, *, label_smoothing: float, num_targets: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the objective to differentiate and the cross-entropy in nats, each a mean.

    The second carries no gradient and no smoothing: it compares with a validation loss.

    Args:
        logits_NV: of any float type; the loss is computed in fp32.
        y_N: targets, `IGNORED` where padded.
        label_smoothing: share of each target's probability spread over the vocabulary.
        num_targets: what the sums are divided by, for one micro-batch of a larger batch; by
            default the targets given.
    """
    if num_targets is None:
        num_targets = (y_N != IGNORED).sum()
    objective, nats = _CrossEntropy.apply(logits_NV.float(), y_N, label_smoothing, num_targets)  # type: ignore[no-untyped-call]
    return objective, nats


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy that makes its gradient in the forward pass, in the one array it needs.

    Where a vocabulary of thousands meets a model of a few hundred numbers a token, the loss is a
    large part of a step: this takes half the time of a log-softmax and its backward pass.

    Source: label smoothing from Szegedy et al. 2016, "Rethinking the Inception Architecture for
    Computer Vision"; the gradient in the forward pass after Hsu et al. 2024, "Liger Kernel:
    Efficient Triton Kernels for LLM Training".
    """

    @staticmethod
    def forward(
        ctx: Any, logits_NV: Tensor, y_N: Tensor, smoothing: float, num_targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        counted_N = y_N != IGNORED
        target_N1 = y_N.clamp(min=0).unsqueeze(-1)
        weight_N1 = (counted_N / num_targets).unsqueeze(-1)
        largest_N1 = logits_NV.amax(dim=-1, keepdim=True)
        grad_NV = torch.sub(logits_NV, largest_N1).exp_()
        total_N1 = grad_NV.sum(dim=-1, keepdim=True)
        log_total_N1 = total_N1.log().add_(largest_N1)
        nats = ((log_total_N1 - logits_NV.gather(-1, target_N1)) * weight_N1).sum()
        objective = nats.clone()
        grad_NV.mul_(weight_N1 / total_N1)
        if smoothing:
            uniform_N1 = log_total_N1 - logits_NV.mean(dim=-1, keepdim=True)
            objective = (1 - smoothing) * nats + smoothing * (uniform_N1 * weight_N1).sum()
            grad_NV.sub_(weight_N1 * (smoothing / logits_NV.shape[-1]))
        grad_NV.scatter_add_(-1, target_N1, weight_N1 * (smoothing - 1))
        ctx.save_for_backward(grad_NV)
        ctx.mark_non_differentiable(nats)
        return objective, nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_objective: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        (grad_NV,) = ctx.saved_tensors
        # Without fp16's scaling the factor is one: a pass over the array saved, where looking at
        # the factor does not make the host wait.
        if grad_objective.device.type != "cpu" or grad_objective.item() != 1.0:
            grad_NV.mul_(grad_objective)
        return grad_NV, None, None, None


def replace_tokens(x_BT: Tensor, share: float) -> Tensor:
    """Replaces a random share of the input by tokens drawn from the same batch.

    Drawing from the batch follows the text's own token frequencies, and needs no mask token.

    Source: Xie et al. 2017, "Data Noising as Smoothing in Neural Network Language Models"
    (unigram noising).
    """
    if not share:
        return x_BT
    replaced_BT = torch.rand(x_BT.shape, device=x_BT.device) < share
    donor_BT = torch.randint(x_BT.numel(), x_BT.shape, device=x_BT.device)
    return torch.where(replaced_BT, x_BT.flatten()[donor_BT], x_BT)
