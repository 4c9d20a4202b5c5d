"""Training as a generator of reports: `for report in train(trial, data, report_steps=[…]): …`."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training.auto_precision import resolve_precision
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.optim import build_optimizers
from picosweep.pico.training.report import Report
from picosweep.pico.training.report_marks import marks_of
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TRAINING_VERSION, TrialConfig

__all__ = ["TRAINING_VERSION", "train", "warm_up"]


def train(
    trial: TrialConfig,
    data: PreparedData,
    *,
    report_steps: Sequence[int] = (),
    report_seconds: Sequence[float] = (),
    known: Sequence[tuple[int, float]] = (),
    checkpoint: bytes | None = None,
    initial: bytes | None = None,
    device: str | torch.device = "cpu",
    deadline: float | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Report]:
    """Train and yield one report at each of `report_steps`, or of `report_seconds`.

    A loss that is not finite ends the run with one last report, `diverged`, at the step at which
    it was seen. The caller may draw random numbers between reports: training keeps its own stream.

    Seconds are those of training, evaluation left out, over all processes that worked on the
    trial. The report comes after the step that crosses the mark, or after the next one where that
    step was not expected to cross it; a step that crosses several marks gives one report.

    Args:
        trial: complete configuration; its precision may be `auto`.
        data: prepared data to train and evaluate on.
        report_steps: optimizer steps, from 1, at which to report; the last one ends the run.
        report_seconds: seconds of training after which to report, in place of `report_steps`.
        known: with `report_seconds`, step and training seconds of reports that were made before.
            Where the checkpoint is older than they are, or there is none, training takes the same
            steps once more, reports at them by the old clock, and then goes on by its own: the
            trial stays one trajectory, and the repetition takes nothing from its budget.
        checkpoint: checkpoint from `Report.checkpoint` of the same trial on the same data; its
            steps are not repeated and its reports not yielded again.
        initial: checkpoint of another trial to start from, where the trial has `init_from`.
        device: device to train on.
        deadline: time on `time.monotonic`'s clock; once past it the run ends without a further
            report. None: there is no deadline.
        now: function that returns the time in seconds, by which steps are timed.

    Raises:
        ValueError: none of `report_steps` and `report_seconds` is given, or both, or a step below
            1 or a time that is not above 0.
        CheckpointError: the checkpoint is damaged or belongs to another trial or data set.
    """
    marks = marks_of(report_steps, report_seconds, known)
    trial = resolve_precision(trial, data, device=device, checkpoint=checkpoint, initial=initial)
    loop = TrainingLoop(trial, data, device=device, checkpoint=checkpoint, initial=initial, now=now)
    progress = loop.progress
    for mark in marks:
        reported = mark.is_passed(loop)
        while not reported and not progress.ended:
            if deadline is not None and time.monotonic() > deadline:
                return
            measured = mark.is_next(loop)
            loop.advance(measure=measured)
            reported = measured and mark.is_passed(loop)
            if reported:
                mark.arrive(loop)
            if reported or progress.ended:
                yield loop.report(last=marks[-1].is_passed(loop))


def warm_up() -> None:
    """Take one optimizer step: torch's first one in a process spends about 1 s on imports."""
    model = nn.Linear(2, 2)
    for optimizer in build_optimizers(model, TrainingConfig(), vocab_size=0):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
