"""What a model is trained for: the part of a training loop that differs between tasks.

The loop keeps the model, its optimizers, the number format, the clock, the random stream and the
checkpoint. A task gives it batches, an objective to differentiate, and an evaluation.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.trial import TrialConfig

Batch: TypeAlias = Any
"""One micro-batch on the model's device: the task's own type, which the loop only passes back."""


class Task(Protocol):
    """One trial's task, made for its model, its data and its device."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of `reports` that `evaluate` fills; `val_loss` is among them."""

    def batches(self, step: int) -> Sequence[Batch]:
        """Return the micro-batches of one optimizer step.

        They depend on data, seed and step alone, but for noise that is drawn from torch's global
        random stream: called once for each step, in order.

        Args:
            step: number of the optimizer step, from 0.
        """

    def objective(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what one micro-batch adds to the step's objective, and to its training loss.

        Both are scalars weighted by the micro-batch's share of the step: their sum over a step's
        micro-batches is the step's mean. The first carries a gradient; the second carries none, has
        no regularisation in it, and compares with `val_loss`.
        """

    def evaluate(self, autocast: Callable[[], AbstractContextManager[object]]) -> dict[str, float]:
        """Measure the model on the fixed validation part, without changing its training mode.

        Args:
            autocast: function that makes the context of a forward pass.

        Returns:
            a value for each of `columns`.
        """


MakeTask: TypeAlias = Callable[
    [TrialConfig, PreparedData, LanguageModel, torch.device, bytes | None], Task
]
"""Function that makes a trial's task, the checkpoint that the trial starts from given last; it
raises `ValueError` where the data or the settings do not suit it."""
