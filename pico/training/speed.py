"""How fast a configuration trains in this process, at little cost of starting.

Making an optimizer object imports torch's compiler, which takes longer than a plan may. So AdamW's
step is taken by its function: the same arithmetic on the same tensors.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.tasks.registry import find_task
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.restore import starting_model

WARM_UP_STEPS: Final = 2
TIMED_STEPS: Final = 5
LONG_SECONDS: Final = 10.0
"""After which no further step is taken: one of seconds needs neither warming up nor a median."""


def tokens_per_second(
    trial: TrialConfig, data: PreparedData, *, initial: bytes | None = None
) -> float:
    """Time a few training steps on this machine's processor, without evaluation.

    Args:
        trial: the configuration; its optimizer `adam` counts as `adamw`, others take real steps.
        data: to take the steps on.
        initial: checkpoint of another trial to start from, where the trial has `init_from`.

    Returns:
        Training tokens a second, by the median step.
    """
    step = _step_of(trial, data, initial)
    seconds = []
    for _ in range(WARM_UP_STEPS + TIMED_STEPS):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
        if sum(seconds) > LONG_SECONDS:
            break
    return trial.tokens_per_step / median(seconds[WARM_UP_STEPS:] or seconds[-1:])


def _step_of(trial: TrialConfig, data: PreparedData, initial: bytes | None) -> Callable[[], None]:
    plain = trial.training.optimizer in {"adamw", "adam"} and trial.training.precision == "fp32"
    if not plain or trial.training.compile:
        return TrainingLoop(trial, data, initial=initial).advance
    meta = data.meta
    torch.manual_seed(trial.seed)
    model = starting_model(trial, meta.vocab_size, meta.tokenizer_fingerprint, initial)
    task = find_task(trial.task)(trial, data, model, torch.device("cpu"), initial)
    update = _Update([p for p in model.parameters() if p.requires_grad], trial.training)
    num_steps = 0

    def step() -> None:
        nonlocal num_steps
        for batch in task.batches(num_steps):
            objective, _ = task.objective(batch)
            objective.backward()  # type: ignore[no-untyped-call]
        update()
        num_steps += 1

    return step


class _Update:
    """AdamW's step, with gradients clipped before it."""

    def __init__(self, parameters: list[nn.Parameter], config: TrainingConfig) -> None:
        self._parameters, self._config = parameters, config
        self._means: list[Tensor] = [torch.zeros_like(p) for p in parameters]
        self._squares: list[Tensor] = [torch.zeros_like(p) for p in parameters]
        self._steps: list[Tensor] = [torch.tensor(0.0) for _ in parameters]

    def __call__(self) -> None:
        """Change the parameters by their gradients, which are gone afterwards."""
        config = self._config
        if config.grad_clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, config.grad_clip)
        # A module of the user's may hold parameters that its output does not depend on.
        used = [place for place, p in enumerate(self._parameters) if p.grad is not None]
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        with torch.no_grad():
            adamw(
                [self._parameters[place] for place in used],
                gradients,
                [self._means[place] for place in used],
                [self._squares[place] for place in used],
                [],
                [self._steps[place] for place in used],
                fused=True,
                amsgrad=False,
                beta1=config.beta1,
                beta2=config.beta2,
                lr=config.learning_rate,
                weight_decay=config.weight_decay,
                eps=1e-8,
                maximize=False,
            )
        for parameter in self._parameters:
            parameter.grad = None
