"""Linear head and cross-entropy in one, without the whole table of logits in memory.

At these sizes the head is most of the work, and its logits (16 MB for 2,048 tokens of a vocabulary
of 2,048) are written and read several times over. Here they are made a piece at a time, and each
piece's gradient right after it, while the piece is still in the cache.

Source: Wijmans et al. 2024, https://arxiv.org/abs/2411.09009 (the idea; theirs is for GPUs).

Shape suffixes: N tokens, P tokens of one piece, S feature size, V vocabulary.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from picosweep.pico.targets import IGNORED

PIECE_NUMBERS: Final = 2**19
"""Logits in one piece: 2 MB. At a vocabulary of 2,048 a step of the head took 9 to 13 % longer with
pieces of 1 MB, whose products are of too few rows, and no less time with 4 or 8 MB."""


def head_loss(
    features_NS: Tensor,
    head: nn.Linear,
    targets_N: Tensor,
    *,
    label_smoothing: float = 0.0,
    num_targets: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the objective to differentiate and the cross-entropy in nats, each a mean.

    It pays on a CPU in float32: a compiler and a GPU have better ways of their own.

    Args:
        features_NS: what the head reads.
        head: linear layer, of which the weight and the offset, if any, are used.
        targets_N: ids to predict; -100 where there is nothing to predict.
        label_smoothing: share of each target's probability spread over the vocabulary.
        num_targets: what the sums are divided by, for one micro-batch of a larger batch; None:
            the number of targets given.

    Returns:
        what `torch.nn.functional.cross_entropy` over the logits gives, to float32 rounding, with
        the smoothing and without; the second carries no gradient.
    """
    if num_targets is None:
        num_targets = (targets_N != IGNORED).sum()
    return _HeadLoss.apply(  # type: ignore[no-any-return,no-untyped-call]
        features_NS,
        head.weight,
        head.bias,
        targets_N,
        label_smoothing,
        num_targets,
        torch.is_grad_enabled(),
    )


class _HeadLoss(torch.autograd.Function):
    """The loss, whose gradients are made in the forward pass, piece by piece."""

    @staticmethod
    def forward(
        ctx: Any,
        features_NS: Tensor,
        weight_VS: Tensor,
        bias_V: Tensor | None,
        targets_N: Tensor,
        smoothing: float,
        num_targets: Tensor,
        with_gradients: bool,
    ) -> tuple[Tensor, Tensor]:
        grads = [torch.empty_like(features_NS), torch.zeros_like(weight_VS)]
        if bias_V is not None:
            grads.append(torch.zeros_like(bias_V))
        shares_N1 = ((targets_N != IGNORED) / num_targets).unsqueeze(1)
        nats, uniform = features_NS.new_zeros(()), features_NS.new_zeros(())
        rows = max(1, PIECE_NUMBERS // len(weight_VS))
        for start in range(0, len(targets_N), rows):
            piece = slice(start, start + rows)
            share_P1, target_P1 = shares_N1[piece], targets_N[piece].clamp(min=0).unsqueeze(1)
            logits_PV = functional.linear(features_NS[piece], weight_VS, bias_V)
            largest_P1 = logits_PV.amax(1, keepdim=True)
            target_logit_P1 = logits_PV.gather(1, target_P1)
            mean_P1 = logits_PV.mean(1, keepdim=True) if smoothing else target_logit_P1
            grad_PV = logits_PV.sub_(largest_P1).exp_()
            total_P1 = grad_PV.sum(1, keepdim=True)
            log_total_P1 = total_P1.log() + largest_P1
            nats += ((log_total_P1 - target_logit_P1) * share_P1).sum()
            uniform += ((log_total_P1 - mean_P1) * share_P1).sum()
            if not with_gradients:
                continue
            grad_PV.scatter_add_(1, target_P1, total_P1 * (smoothing - 1.0))
            if smoothing:
                grad_PV.sub_(total_P1 * (smoothing / len(weight_VS)))
            # What is still missing is a factor per row: cheaper on the products' narrow side.
            scale_P1 = share_P1 / total_P1
            torch.mm(grad_PV, weight_VS, out=grads[0][piece])
            grads[0][piece].mul_(scale_P1)
            grads[1].addmm_(grad_PV.t(), features_NS[piece] * scale_P1)
            if bias_V is not None:
                grads[2].addmv_(grad_PV.t(), scale_P1.squeeze(1))
        ctx.save_for_backward(*grads)
        ctx.mark_non_differentiable(nats)
        return (1.0 - smoothing) * nats + smoothing * uniform, nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_objective: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        grads = [saved * grad_objective for saved in ctx.saved_tensors]
        grads += [None] * (3 - len(grads))
        return (*grads, None, None, None, None)
