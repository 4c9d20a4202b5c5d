"""What a running sweep reports to its caller: a terminal, a notebook, a service."""

import logging

from picosweep.sweeps.decisions.coordinator import Coordinator


class Observer:
    """Is called with how far a sweep is and does nothing with it: override what you want to know.

    `beat` is called from the sweep's own loop; `say` from the thread that prepares the data too,
    and `log` from every thread that logs. None may take long.
    """

    def say(self, text: str) -> None:
        """Take a text: what is waited for before the first trial trains and after the last one."""

    def note(self, text: str) -> None:
        """Take a sentence that is to stay: what the sweep trains on."""

    def beat(self, coordinator: Coordinator, slots: int) -> None:
        """Look at the sweep, a few times a second while trials train.

        Args:
            coordinator: it holds every trial, and is only to be read.
            slots: number of trials that can run at once.
        """

    def log(self, record: logging.LogRecord) -> None:
        """Take a warning or an error that is written to the sweep's log."""
