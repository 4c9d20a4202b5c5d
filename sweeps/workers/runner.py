"""What runs trials: a runner asks the coordinator for work until there is none left.

Ray Tune is one (`tune_runner`), a simulation without training another (`simulated`).
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Assignment

Work_contra = TypeVar("Work_contra", contravariant=True)


class Runner(Protocol[Work_contra]):
    """Brings the trials of one sweep to their end."""

    def run(
        self,
        coordinator: Coordinator,
        work_of: Callable[[Assignment], Work_contra],
        beat: Callable[[], None],
    ) -> None:
        """Run until the coordinator has no more work, and end trials where it decides so.

        Args:
            coordinator: decides; every start, report and loss is passed on to it.
            work_of: turns an assignment into what this runner's processes are given.
            beat: called a few times a second.

        Raises:
            OSError: results could not be written any more.
            KeyboardInterrupt: `beat` raised it to stop the sweep.
        """
