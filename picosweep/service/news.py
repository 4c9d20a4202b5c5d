"""What is worth a message: a sweep has ended, has failed, has a new best trial."""

import threading
from typing import Final

from picosweep.service.queue.manager import Manager
from picosweep.service.queue.submissions import ACTIVE, Submission
from picosweep.service.sweep_view import Views
from picosweep.service.webhook import Notifier

LOOK_SECONDS: Final = 5.0
ENDS: Final = {
    "completed": "ended", "paused": "ended", "cancelled": "ended",
    "incomplete": "failed", "refused": "failed", "failed": "failed",
}  # fmt: skip


class News:
    """Watches the queue and its sweeps, and sends messages.

    Args:
        manager: the queue.
        views: views of the sweeps.
        notifier: sends messages.
    """

    def __init__(self, manager: Manager, views: Views, notifier: Notifier) -> None:
        self._manager, self._views, self._notifier = manager, views, notifier
        self._best: dict[str, str] = {}
        self._closing = threading.Event()
        manager.on_change.append(self._changed)
        self._thread = threading.Thread(target=self._work, name="news", daemon=True)
        self._thread.start()

    def _changed(self, one: Submission) -> None:
        if one.ended_at is not None and one.state in ENDS:
            self._notifier.tell(
                ENDS[one.state], sweep=one.sweep, submission=one.id, state=one.state,
                exit_code=one.exit_code, reason=one.reason,
            )  # fmt: skip

    def _work(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Tell of sweeps that run and whose best trial is another than before."""
        for one in self._manager.all():
            if one.state in ACTIVE and (view := self._views.of(one.sweep)) is not None:
                for row in view.winners()[:1]:
                    before = self._best.get(one.sweep)
                    self._best[one.sweep] = row["trial_id"]
                    if before != row["trial_id"]:
                        self._notifier.tell(
                            "best", sweep=one.sweep, submission=one.id, trial_id=row["trial_id"],
                            architecture=row["architecture"], val_loss=row["val_loss"],
                        )  # fmt: skip

    def close(self) -> None:
        """End, and send what waits."""
        self._manager.on_change.remove(self._changed)
        self._closing.set()
        self._thread.join()
        self._notifier.close()
