"""What training minimises, and the noise it may put on its input.

Shapes: B sequences, T positions, V vocabulary, N = B·T positions in one row.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from picosweep.pico.models.interface import HeadedModel
from picosweep.pico.models.layers.head_loss import PIECE_NUMBERS, head_loss
from picosweep.pico.targets import IGNORED
from picosweep.pico.training_config import TrainingConfig


class TrainingLoss:
    """The objective of one batch or micro-batch, computed the fastest way the trial allows."""

    def __init__(self, model: nn.Module, config: TrainingConfig, *, num_logits: int) -> None:
        """Choose how the loss is computed.

        Args:
            model: module that maps ids_BT to logits_BTV, on the device where it will train.
            config: settings, of which label smoothing, precision and compilation are read.
            num_logits: number of logits in one micro-batch, B·T·V.
        """
        self._label_smoothing = config.label_smoothing
        self._forward = torch.compile(model) if config.compile else model
        self._headed: HeadedModel | None = None
        plain = config.precision == "fp32" and not config.compile
        if isinstance(model, HeadedModel) and type(model.head) is nn.Linear and plain:
            on_cpu = model.head.weight.device.type == "cpu"
            # Below one piece there is nothing to cut up, and torch's own loss is faster.
            self._headed = model if on_cpu and num_logits >= PIECE_NUMBERS else None

    def __call__(
        self, x_BT: Tensor, y_BT: Tensor, num_targets: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the objective to differentiate and the cross-entropy in nats, each a mean.

        The second carries no gradient and no smoothing: it compares with a validation loss.

        Args:
            x_BT: token ids that the model reads.
            y_BT: token ids to predict; `IGNORED` where padded.
            num_targets: what the sums are divided by, for one micro-batch of a larger batch; None:
                the number of targets given.
        """
        smoothing, y_N = self._label_smoothing, y_BT.flatten()
        if self._headed is None:
            logits_NV = self._forward(x_BT).flatten(0, 1)
            return logits_loss(logits_NV, y_N, label_smoothing=smoothing, num_targets=num_targets)
        features_NS = self._headed.features(x_BT).flatten(0, 1)
        head = self._headed.head
        return head_loss(features_NS, head, y_N, label_smoothing=smoothing, num_targets=num_targets)


def logits_loss(
    logits_NV: Tensor, y_N: Tensor, *, label_smoothing: float, num_targets: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return what `TrainingLoss` does, from logits of any float type, in fp32.

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
    """Replace a random share of the input by tokens drawn from the same batch.

    Drawing from the batch follows the text's own token frequencies, and needs no mask token.

    Source: Xie et al. 2017, "Data Noising as Smoothing in Neural Network Language Models"
    (unigram noising).
    """
    if not share:
        return x_BT
    replaced_BT = torch.rand(x_BT.shape, device=x_BT.device) < share
    donor_BT = torch.randint(x_BT.numel(), x_BT.shape, device=x_BT.device)
    return torch.where(replaced_BT, x_BT.flatten()[donor_BT], x_BT)
