"""Loss, accuracy and bits per byte of a model over a fixed set of batches.

Shapes: B sequences, T positions, V vocabulary, N = B·T positions in one row.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from picosweep.pico.targets import IGNORED


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Means over every target that is not padding."""

    loss: float
    """Nats per token; NaN where there was no target."""

    accuracy: float
    """Share of targets that got the largest logit; one of k equal largest counts 1/k."""

    bits_per_byte: float
    """Bits per UTF-8 byte of the targets' text: comparable across tokenizers."""

    num_tokens: int
    """Targets counted."""

    @property
    def perplexity(self) -> float:
        """Exponential of the loss; infinite where it is too large for a float."""
        return math.exp(self.loss) if not self.loss > 700 else math.inf

    @classmethod
    def unknown(cls) -> "Evaluation":
        """Return an evaluation that did not take place."""
        return cls(loss=math.nan, accuracy=math.nan, bits_per_byte=math.nan, num_tokens=0)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    token_bytes_V: Tensor,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Evaluation:
    """Evaluate `model` without dropout and leave its training mode as it was.

    Args:
        model: module that maps ids_BT to logits_BTV.
        batches: pairs (x_BT, y_BT) on the model's device; `IGNORED` in y where padded.
        token_bytes_V: UTF-8 bytes that each token stands for, on the model's device.
        autocast: function that makes the context of the forward pass.

    Returns:
        means over all targets, found with a single wait for the device.
    """
    was_training = model.training
    model.eval()
    totals = torch.zeros(4, dtype=torch.float64, device=token_bytes_V.device)
    for x_BT, y_BT in batches:
        with autocast():
            logits_BTV = model(x_BT)
        totals += _batch_totals(logits_BTV.flatten(0, 1), y_BT.flatten(), token_bytes_V)
    model.train(was_training)
    nats, right, tokens, num_bytes = totals.tolist()
    return Evaluation(
        loss=nats / tokens if tokens else math.nan,
        accuracy=right / tokens if tokens else math.nan,
        bits_per_byte=nats / math.log(2) / num_bytes if num_bytes else math.nan,
        num_tokens=int(tokens),
    )


def _batch_totals(logits_NV: Tensor, y_N: Tensor, token_bytes_V: Tensor) -> Tensor:
    """Return (nats, right answers, targets, bytes) of one batch as float64."""
    logits_NV = logits_NV.float()
    counted_N = y_N != IGNORED
    target_N1 = y_N.clamp(min=0).unsqueeze(-1)
    largest_N1 = logits_NV.amax(dim=-1, keepdim=True)
    target_logit_N1 = logits_NV.gather(-1, target_N1)
    log_total_N1 = (logits_NV - largest_N1).exp_().sum(dim=-1, keepdim=True).log() + largest_N1
    nats = ((log_total_N1 - target_logit_N1).squeeze(-1) * counted_N).double().sum()
    # A maximum is far cheaper than an argmax. Where several tokens share the largest logit, as
    # they may in bf16, each gets its share: an undecided model scores 1/V, not 0 or 1.
    found_N = (target_logit_N1 == largest_N1).squeeze(-1) & counted_N
    num_largest = (logits_NV[found_N] == largest_N1[found_N]).sum(dim=-1)
    num_bytes = (token_bytes_V[target_N1.squeeze(-1)] * counted_N).sum()
    totals = (nats, (1 / num_largest).sum(), counted_N.sum(), num_bytes)
    return torch.stack([total.double() for total in totals])
