"""The counters of one trial in training: everything of its state that is no tensor."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(kw_only=True)
class Progress:
    """How far a trial is; changes with each step, and survives in checkpoints."""

    step: int = 0
    """Optimizer steps done."""

    seconds: float = 0.0
    """Busy time in training and evaluation."""

    loss_sum: float = 0.0
    """Sum of the training losses since the last report, in nats per token."""

    loss_count: int = 0
    """Steps in `loss_sum`."""

    training_seconds: float = 0.0
    """Busy time in training since the last report."""

    trained_seconds: float = 0.0
    """Busy time in training so far; NaN where a checkpoint of an older version did not say."""

    best_val_loss: float | None = None
    """Least validation loss of any report."""

    reports_since_best: int = 0
    """Reports in a row without a new best validation loss."""

    diverged: bool = False
    """Whether a loss was not finite."""

    out_of_patience: bool = False
    """Whether as many reports in a row as the trial's patience brought no new best loss."""

    @property
    def ended(self) -> bool:
        """Whether no further step makes sense."""
        return self.diverged or self.out_of_patience

    def add_losses(self, losses: list[float]) -> None:
        """Add the training losses of consecutive steps."""
        for loss in losses:
            self.loss_sum += loss
            self.loss_count += 1
            self.diverged |= not math.isfinite(loss)

    def add_training_seconds(self, seconds: float) -> None:
        """Add busy time spent on training steps."""
        self.seconds += seconds
        self.training_seconds += seconds
        self.trained_seconds += seconds

    def since_report(self, tokens_per_step: int) -> tuple[float, float]:
        """Return mean training loss and tokens per second since the last report; count anew."""
        mean_loss = self.loss_sum / self.loss_count if self.loss_count else math.nan
        tokens = self.loss_count * tokens_per_step
        speed = tokens / self.training_seconds if self.training_seconds else math.nan
        self.loss_sum, self.loss_count, self.training_seconds = 0.0, 0, 0.0
        return mean_loss, speed

    def note_validation(self, val_loss: float, *, patience: int | None) -> None:
        """Record a validation loss: divergence, a new best, or patience running out."""
        if not math.isfinite(val_loss):
            self.diverged = True
        elif self.best_val_loss is None or val_loss < self.best_val_loss:
            self.best_val_loss, self.reports_since_best = val_loss, 0
        else:
            self.reports_since_best += 1
            self.out_of_patience = patience is not None and self.reports_since_best >= patience

    def to_dict(self) -> dict[str, object]:
        """Return the counters in plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Progress":
        """Rebuild the counters from what `to_dict` returned.

        Raises:
            TypeError: a field is missing or unknown.
        """
        # Older checkpoints lack it, and none of them is of a trial whose budget is in seconds.
        complete = {"trained_seconds": math.nan, **values}
        if set(complete) != {f.name for f in fields(cls)}:
            raise TypeError(f"not a training progress: {sorted(values)}")
        return cls(**complete)
