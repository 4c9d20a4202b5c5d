"""Where training stops to report: at an optimizer step, or once it has taken some seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from picosweep.pico.training.loop import TrainingLoop


class Mark(Protocol):
    """A point of training at which to report."""

    def is_passed(self, loop: TrainingLoop) -> bool:
        """Return whether training is there, or beyond."""

    def is_next(self, loop: TrainingLoop) -> bool:
        """Return whether the next step is expected to reach it, so that it is worth measuring."""

    def arrive(self, loop: TrainingLoop) -> None:
        """Prepare the loop for the report at this mark."""


@dataclass(frozen=True, kw_only=True)
class StepMark:
    """The mark after so many optimizer steps."""

    step: int
    seconds: float | None = None
    """What the training clock showed there the first time; None where this is the first time."""

    def is_passed(self, loop: TrainingLoop) -> bool:
        """Return whether training is there, or beyond."""
        return loop.progress.step >= self.step

    def is_next(self, loop: TrainingLoop) -> bool:
        """Return whether the next step reaches it."""
        return loop.progress.step + 1 >= self.step

    def arrive(self, loop: TrainingLoop) -> None:
        """Set the clock to what it showed when this step was trained for the first time."""
        if self.seconds is not None:
            loop.clock.set(self.seconds)


@dataclass(frozen=True, kw_only=True)
class SecondsMark:
    """The mark after the first step that ends at so many seconds of training, or later."""

    seconds: float

    def is_passed(self, loop: TrainingLoop) -> bool:
        """Return whether training has taken that long."""
        return loop.clock.seconds >= self.seconds

    def is_next(self, loop: TrainingLoop) -> bool:
        """Return whether one more step, by the pace of the last ones, takes the clock there."""
        return loop.clock.after_next_step >= self.seconds

    def arrive(self, loop: TrainingLoop) -> None:
        """Leave the loop alone: this is the first time here, so its clock is right."""


def marks_of(
    steps: Sequence[int], seconds: Sequence[float], known: Sequence[tuple[int, float]]
) -> list[Mark]:
    """Return the marks of one run, in order; see `pico.training.train.train`.

    Raises:
        ValueError: there are no marks, or both kinds of them, or one that cannot be reached.
    """
    if bool(steps) == bool(seconds):
        raise ValueError(
            f"report_steps: found {list(steps)}, report_seconds: found {list(seconds)}, "
            "allowed: exactly one of the two"
        )
    if steps:
        if min(steps) < 1:
            raise ValueError(f"report_steps: found {list(steps)}, allowed: steps from 1")
        return [StepMark(step=step) for step in sorted(set(steps))]
    if min(seconds) <= 0:
        raise ValueError(f"report_seconds: found {list(seconds)}, allowed: above 0")
    past = [StepMark(step=step, seconds=shown) for step, shown in sorted(known)]
    return [*past, *(SecondsMark(seconds=mark) for mark in sorted(set(seconds)))]
