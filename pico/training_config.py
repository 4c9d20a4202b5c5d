"""How a model is trained: every training hyperparameter with its default, and nothing else.

A sweep gives one flat mapping of hyperparameters; `pico.trial.resolve` splits it between this class
and the architecture's own configuration. For that, no field here may share its name with a field
of a model configuration (a test checks it).
"""

from dataclasses import dataclass
from typing import Final, Literal

from picosweep.pico.errors import FieldError
from picosweep.pico.field_checks import (
    Count,
    CountFromZero,
    Fraction,
    NotNegative,
    Positive,
    Share,
    check_fields,
)

OptimizerName = Literal["adamw", "adam", "sgd", "muon"]
ScheduleName = Literal["constant", "cosine", "linear", "wsd"]
PrecisionName = Literal["fp32", "bf16", "fp16", "auto"]

SCHEDULES_WITH_HORIZON: Final = frozenset({"cosine", "linear", "wsd"})
"""Schedules that look at the last step, so that a longer budget is another training run."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Optimizer, schedule, batch and precision of one trial.

    Raises:
        ValueError: a field has a value outside its range; the message names the field, the value
            and what is allowed.
    """

    optimizer: OptimizerName = "adamw"
    """`adamw`, `adam`, `sgd` with Nesterov momentum, or `muon`, which orthogonalises the update of
    each hidden matrix and leaves the rest to AdamW."""

    learning_rate: Positive = 1e-3
    """Peak learning rate; with `muon` on the scale of AdamW's, for all parameters."""

    beta1: Share = 0.9
    """Decay of Adam's mean of gradients."""

    beta2: Share = 0.99
    """Decay of Adam's mean of squared gradients."""

    momentum: Share = 0.95
    """Momentum of `sgd` and `muon`."""

    weight_decay: NotNegative = 0.01
    """Weight decay of matrices and embeddings; biases and norm scales have none. `adam` and `sgd`
    add it to the gradient, where `adam` wants far smaller values than `adamw` does."""

    batch_size: Count = 32
    """Sequences in one optimizer step, all micro-batches together."""

    accumulation: Count = 1
    """Micro-batches that a step's sequences are cut into: bounds memory, not the batch size."""

    schedule: ScheduleName = "constant"
    """Shape of the learning rate after warmup. `wsd` (warmup, stable, decay) and `constant` leave
    an early-stopped run a fair estimate of a shorter one; `cosine` and `linear` do not."""

    warmup_steps: CountFromZero = 0
    """Steps over which the learning rate rises linearly to its peak."""

    decay_fraction: Fraction = 0.2
    """Share of all steps, at the end, in which `wsd` decays linearly."""

    final_lr_fraction: Fraction = 0.0
    """Learning rate at the last step, as a share of the peak; not used by `constant`."""

    grad_clip: Positive | None = 1.0
    """Largest Euclidean norm of the whole gradient; None never clips."""

    label_smoothing: Share = 0.0
    """Share of each target's probability spread evenly over the vocabulary, in training only."""

    token_dropout: Share = 0.0
    """Share of input tokens replaced, in training only, by tokens drawn from the same batch."""

    precision: PrecisionName = "fp32"
    """Number format of matrix products; `auto` takes the fastest one measured on the device."""

    compile: bool = False
    """Whether the model goes through `torch.compile`: pays for itself in long runs only."""

    patience: Count | None = None
    """Reports in a row without a new best validation loss after which a trial ends; None: never."""

    lora_rank: Count | None = None
    """Rank of the change that is trained in place of the linear layers' weights, all else frozen;
    for trials that go on from other weights. None trains every weight."""

    lora_alpha: Positive = 16.0
    """The low-rank change counts `lora_alpha / lora_rank` times."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.batch_size % self.accumulation:
            raise FieldError(
                field="accumulation",
                found=self.accumulation,
                allowed=f"a divisor of batch_size ({self.batch_size})",
                involved=("batch_size",),
            )

    @property
    def needs_horizon(self) -> bool:
        """Whether the schedule looks at the last step."""
        return self.schedule in SCHEDULES_WITH_HORIZON
