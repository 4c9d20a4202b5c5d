"""The clock of a trial in training: how long its steps have taken, and the next one will take."""

from collections.abc import Callable

from picosweep.pico.training.progress import Progress


class TrainingClock:
    """A clock of training steps, evaluation left out.

    Where steps run on an accelerator, the host's time says how long a step took only once it has
    waited for the device; until then steps are taken to last as long as the last ones that are
    known.

    Args:
        progress: counters of the trial, where the time is kept, so that a resumed trial goes on
            counting.
        now: function that returns the time in seconds, from any start.
    """

    def __init__(self, progress: Progress, now: Callable[[], float]) -> None:
        self._progress = progress
        self._now = now
        self._began = 0.0
        self._seconds_per_step = 0.0
        self._known_seconds = progress.trained_seconds
        """What the clock showed when the device was last waited for."""
        self._num_unknown = 0
        """Steps since then."""

    def start_step(self) -> None:
        """Record that a step begins."""
        self._began = self._now()

    def end_step(self, *, waited: bool) -> None:
        """Record that the step has ended.

        Args:
            waited: whether all its work is done, and not only sent to a device.
        """
        self._progress.add_training_seconds(self._now() - self._began)
        self._num_unknown += 1
        if waited:
            seconds = self._progress.trained_seconds - self._known_seconds
            self._seconds_per_step = seconds / self._num_unknown
            self._known_seconds, self._num_unknown = self._progress.trained_seconds, 0

    def set(self, seconds: float) -> None:
        """Set the time trained so far to what another process measured."""
        self._progress.trained_seconds = self._known_seconds = seconds
        self._num_unknown = 0

    @property
    def seconds(self) -> float:
        """Time trained so far, over all processes that worked on the trial."""
        return self._progress.trained_seconds

    @property
    def after_next_step(self) -> float:
        """What the clock will show after one more step, estimated from the last known steps."""
        foreseen = self._known_seconds + (self._num_unknown + 1) * self._seconds_per_step
        return max(foreseen, self.seconds)
