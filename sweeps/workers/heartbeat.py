"""What a driver does at intervals while trials train.

It writes for other terminals how far it is, reads their requests, and brings the Parquet tables up
to date; all of it from Tune's own loop, so that no thread is needed.
"""

import logging
import time
from typing import Any, Final

from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.store.mailbox import WHOLE_SWEEP, take_requests
from picosweep.sweeps.store.now import write_now
from picosweep.sweeps.store.store import Store

SEAL_SECONDS: Final = 15.0
"""Least time between two updates of a running sweep's Parquet tables."""
BEAT_SECONDS: Final = 1.0

log = logging.getLogger("picosweep")


class Heartbeat:
    """The regular work of a driver beside giving out trials.

    Args:
        coordinator: it is asked for the running trials, and to stop one.
        store: the sweep's rows and folder.
        slots: trials that could run at once when training began.
    """

    def __init__(self, coordinator: Coordinator, store: Store, slots: int) -> None:
        self._coordinator = coordinator
        self._store = store
        self._slots = slots
        self._due = 0.0
        self._told: dict[str, Any] = {}
        self._seal_due = time.monotonic() + SEAL_SECONDS
        take_requests(store.folder)  # those to an earlier run no longer apply

    def beat(self) -> None:
        """Do what is due, at most once in `BEAT_SECONDS`.

        Raises:
            KeyboardInterrupt: another terminal asked to stop the sweep.
        """
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + BEAT_SECONDS
        for request in take_requests(self._store.folder):
            if request == WHOLE_SWEEP:
                raise KeyboardInterrupt
            self._stop_trial(request)
        self._tell()
        if now >= self._seal_due:
            self._seal()

    def _stop_trial(self, trial_id: str) -> None:
        refused = self._coordinator.stop_trial(trial_id)
        log.info("asked to stop trial %s: %s", trial_id, refused or "it ends at its next report")

    def _tell(self) -> None:
        now = {
            "slots": self._slots,
            "running": sorted(self._coordinator.started),
            "num_waiting": self._coordinator.num_waiting,
        }
        if now != self._told:
            self._told = now
            try:
                write_now(self._store.folder, now)
            except OSError as error:
                log.info("cannot say how far the sweep is: %s", error)

    def _seal(self) -> None:
        """Bring the tables up to date, in at most 5 % of the driver's time."""
        started = time.monotonic()
        try:
            self._store.seal()
        except OSError as error:
            log.warning("the tables are behind the journal, which goes on: %s", error)
        took = time.monotonic() - started
        self._seal_due = started + took + max(SEAL_SECONDS, 20 * took)
