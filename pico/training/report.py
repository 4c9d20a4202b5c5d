"""What a trial reports at one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

NOT_COLUMNS: Final = frozenset({"evaluation", "diverged", "finished", "snapshot"})


@dataclass(frozen=True, kw_only=True)
class Report:
    """A trial at one step; every number is a column of the result tables."""

    step: int
    """Optimizer steps done."""

    tokens: int
    """Training tokens seen: steps · sequences · block size."""

    flops: float
    """Floating-point operations of training so far, forward and backward."""

    seconds: float
    """Busy time in training and evaluation so far, over all processes that worked on the trial."""

    training_seconds: float
    """Busy time in training alone so far: the clock of a budget in seconds. NaN where the trial
    goes on from a checkpoint of a version that did not count it."""

    train_loss: float
    """Nats per token, mean over the steps since the report before, without label smoothing."""

    evaluation: Mapping[str, float]
    """What the task measured on the fixed validation part, by column: for language modelling
    `val_loss` (nats per token), `val_accuracy`, `val_perplexity` and `bits_per_byte`. NaN where
    training itself diverged."""

    learning_rate: float
    """Learning rate of this step."""

    grad_norm: float
    """Euclidean norm of the gradient at this step, before clipping."""

    grad_norm_clipped: float
    """The same after clipping."""

    weight_norm: float
    """Euclidean norm of all trainable parameters after this step."""

    max_param_grad: float
    """Largest absolute gradient entry at this step, before clipping."""

    tokens_per_second: float
    """Training alone, since the report before."""

    peak_memory_bytes: int
    """Most memory in use since this process began the trial: of the accelerator where there is
    one, otherwise resident memory of the process."""

    diverged: bool = False
    """Whether a training or validation loss was not finite; nothing follows such a report."""

    finished: bool = False
    """Whether nothing follows this report: the last mark, divergence, or patience at its end."""

    snapshot: Callable[[], bytes] = field(repr=False, compare=False)
    """Function that makes the checkpoint; see `checkpoint`."""

    def checkpoint(self) -> bytes:
        """Return the training state at this report, from which training resumes bit for bit.

        The state is copied only by this call, so call it before training goes on.

        Raises:
            RuntimeError: training has gone on since this report.
        """
        return self.snapshot()

    def metrics(self) -> dict[str, float | int]:
        """Return the columns of the result tables as plain numbers."""
        own = [field.name for field in fields(self) if field.name not in NOT_COLUMNS]
        return {name: getattr(self, name) for name in own} | dict(self.evaluation)

    @property
    def val_loss(self) -> float:
        """The task's validation loss, in nats per token for language modelling."""
        return self.evaluation["val_loss"]
