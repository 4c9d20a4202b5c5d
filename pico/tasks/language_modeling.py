"""Language modelling: the next token, over a stream of text.

Shapes: B sequences, T positions.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import torch
from torch import Tensor

from picosweep.pico.data.batching.batches import TrainBatches, validation_batches
from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.errors import FieldError
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.language_evaluation import evaluate
from picosweep.pico.tasks.language_loss import TrainingLoss, replace_tokens
from picosweep.pico.trial import TrialConfig

EVALUATION_TOKENS: Final = 1024
"""Tokens in one batch of an evaluation: not the trial's batch size, so that the validation loss of
a model does not depend, in its last bits, on how it was trained."""

MicroBatch = tuple[Tensor, Tensor, Tensor | None]
"""x_BT, y_BT, and where a step has several micro-batches, the number of targets in all of them."""


class LanguageModeling:
    """Prediction of each next token: see `pico.tasks.task.Task`.

    Raises:
        ValueError: the validation part has no whole block.
    """

    columns: Final = ("val_loss", "val_accuracy", "val_perplexity", "bits_per_byte")

    def __init__(
        self,
        trial: TrialConfig,
        data: PreparedData,
        model: LanguageModel,
        device: torch.device,
        initial: bytes | None = None,
    ) -> None:
        del initial  # the model has those weights already
        config = trial.training
        self._config, self._device, self._model = config, device, model
        self._loss = TrainingLoss(
            model,
            config,
            num_logits=trial.tokens_per_step // config.accumulation * data.meta.vocab_size,
        )
        self._batches = TrainBatches(
            data, block_size=trial.block_size, batch_size=config.batch_size, seed=trial.seed
        )
        self._validation = self._validation_batches(trial, data)
        self._token_bytes_V = torch.as_tensor(data.token_bytes).to(device)

    def batches(self, step: int) -> list[MicroBatch]:
        """Return the micro-batches of one optimizer step, with noise on their input."""
        parts = self._config.accumulation
        x_BT, y_BT = self._batches.batch(step)
        x_BT = replace_tokens(self._on_device(x_BT), self._config.token_dropout)
        y_BT = self._on_device(y_BT)
        if parts == 1:
            return [(x_BT, y_BT, None)]
        # One divisor for all micro-batches: padding may be spread unevenly over them.
        num_targets = (y_BT != IGNORED).sum()
        pairs = zip(x_BT.chunk(parts), y_BT.chunk(parts), strict=True)
        return [(x, y, num_targets) for x, y in pairs]

    def objective(self, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """Return the loss with label smoothing, and the cross-entropy in nats without it."""
        return self._loss(*batch)

    def evaluate(self, autocast: Callable[[], AbstractContextManager[object]]) -> dict[str, float]:
        """Return loss (nats per token), accuracy, perplexity and bits per byte."""
        found = evaluate(
            self._model, self._validation, token_bytes_V=self._token_bytes_V, autocast=autocast
        )
        return {
            "val_loss": found.loss,
            "val_accuracy": found.accuracy,
            "val_perplexity": found.perplexity,
            "bits_per_byte": found.bits_per_byte,
        }

    def _validation_batches(
        self, trial: TrialConfig, data: PreparedData
    ) -> list[tuple[Tensor, Tensor]]:
        batches = validation_batches(
            data,
            block_size=trial.block_size,
            batch_size=max(1, EVALUATION_TOKENS // trial.block_size),
            max_tokens=trial.validation_tokens,
        )
        on_device = [(self._on_device(x_BT), self._on_device(y_BT)) for x_BT, y_BT in batches]
        if not on_device:
            raise FieldError(
                "the validation part has no whole block of that size",
                field="block_size",
                found=trial.block_size,
                allowed=f"less than its {data.meta.validation_tokens} tokens",
            )
        return on_device

    def _on_device(self, ids_BT: Tensor) -> Tensor:
        if self._device.type == "cpu":
            return ids_BT
        return ids_BT.pin_memory().to(self._device, non_blocking=True)
