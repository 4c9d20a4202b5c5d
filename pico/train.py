"""Training as a generator of reports: `for report in train(trial, data, report_steps=[…]): …`."""

import time
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from pico.auto_precision import resolve_precision
from pico.data.prepared import PreparedData
from pico.loop import TrainingLoop
from pico.optim import build_optimizers
from pico.report import Report
from pico.training_config import TrainingConfig
from pico.trial import TRAINING_VERSION, TrialConfig

__all__ = ["TRAINING_VERSION", "train", "warm_up"]


def train(
    trial: TrialConfig,
    data: PreparedData,
    *,
    report_steps: Sequence[int],
    checkpoint: bytes | None = None,
    initial: bytes | None = None,
    device: str | torch.device = "cpu",
    deadline: float | None = None,
) -> Iterator[Report]:
    """Trains and yields one report at each of `report_steps`.

    A loss that is not finite ends the run with one last report, `diverged`, at the step it was
    seen. Whoever iterates may draw random numbers between reports: training keeps its own stream.

    Args:
        trial: the complete configuration.
        data: prepared data.
        report_steps: optimizer steps, from 1, at which to report; the last one ends the run.
        checkpoint: from `Report.checkpoint` of the same trial on the same data; its steps are not
            repeated and its reports not yielded again.
        initial: checkpoint of another trial to start from, where the trial has `init_from`.
        device: where to train.
        deadline: on `time.monotonic`'s clock; once past it the run ends without a further report.

    Raises:
        ValueError: `report_steps` is empty or has a step below 1.
        CheckpointError: the checkpoint is damaged or belongs to another trial or data set.
    """
    if not report_steps or min(report_steps) < 1:
        raise ValueError(f"report_steps: found {list(report_steps)}, allowed: steps from 1")
    trial = resolve_precision(trial, data, device=device, checkpoint=checkpoint, initial=initial)
    loop = TrainingLoop(trial, data, device=device, checkpoint=checkpoint, initial=initial)
    progress, last_step = loop.progress, max(report_steps)
    for due_step in sorted(set(report_steps)):
        while progress.step < due_step and not progress.ended:
            if deadline is not None and time.monotonic() > deadline:
                return
            loop.advance(measure=progress.step + 1 == due_step)
            if progress.step == due_step or progress.ended:
                yield loop.report(last=progress.step == last_step)


def warm_up() -> None:
    """Pays, once in a process, for what torch imports at its first optimizer step (about 1 s)."""
    model = nn.Linear(2, 2)
    for optimizer in build_optimizers(model, TrainingConfig(), vocab_size=0):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
