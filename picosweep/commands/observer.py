"""What a running sweep tells whoever started it: a terminal, a notebook, a service."""

import logging

from picosweep.sweeps.decisions.coordinator import Coordinator


class Observer:
    """Hears how far a sweep is, and by itself does nothing with it: override what you want to know.

    All methods are called from the sweep's own loop, but for `say`, which the thread that prepares
    the data calls too; none may take long.
    """

    def say(self, text: str) -> None:
        """Hear what is being waited for, before the first trial trains and after the last one."""

    def beat(self, coordinator: Coordinator, slots: int) -> None:
        """Look at the sweep, a few times a second while trials train.

        Args:
            coordinator: knows every trial; only to be read.
            slots: trials that can run at once.
        """

    def log(self, record: logging.LogRecord) -> None:
        """Hear of a warning or an error that is written to the sweep's log."""
