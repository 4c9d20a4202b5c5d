"""What training minimises, and the noise it may put on its input.

Shapes: B sequences, T positions, V vocabulary, N = B·T positions in one row.
"""

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100
"""The target of a position that counts neither in a loss nor in a metric: padding."""


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

    Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision".
    """
    log_probs_NV = functional.log_softmax(logits_NV.float(), dim=-1)
    if num_targets is None:
        nats = functional.nll_loss(log_probs_NV, y_N, ignore_index=IGNORED)
    else:
        nats = functional.nll_loss(log_probs_NV, y_N, ignore_index=IGNORED, reduction="sum")
        nats = nats / num_targets
    if not label_smoothing:
        return nats, nats.detach()
    counted_N = y_N != IGNORED
    uniform = -(log_probs_NV.mean(dim=-1) * counted_N).sum()
    uniform = uniform / (counted_N.sum() if num_targets is None else num_targets)
    return (1 - label_smoothing) * nats + label_smoothing * uniform, nats.detach()


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
