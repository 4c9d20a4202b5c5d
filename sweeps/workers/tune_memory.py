"""How Tune is made to forget trials that have ended.

Tune keeps each trial to the end of its run, for a snapshot from which it could be restored and for
the result that `tune.run` returns. We read neither. Kept, ten thousand trials are 330 MB of the
driver's memory; and written into the snapshot when all is done, one after the other, they let the
sweep's last minute pass with nothing being trained.
"""

import contextlib
from pathlib import Path
from typing import Any, Final

KEPT_IN: Final = ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache")
"""The sets of Tune's controller that hold a trial after its end."""


class EndedTrials:
    """Trials that have ended since Tune was last made to forget."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def add(self, trial: Any) -> None:
        """Take note of a trial whose end Tune is just working off."""
        self._waiting.append(trial)

    def forget_in(self, controller: Any) -> None:
        """Take what has ended out of a controller, between two of its steps.

        Where another Ray keeps them elsewhere too, they stay there, as they would without us.

        Args:
            controller: a `TuneController`.
        """
        waiting, self._waiting = self._waiting, []
        for trial in waiting:
            if not trial.is_finished() or trial in controller._trial_to_actor:
                self._waiting.append(trial)
                continue
            with contextlib.suppress(ValueError):
                controller.get_trials().remove(trial)
            for name in KEPT_IN:
                getattr(controller, name, set()).discard(trial)
            getattr(controller, "_trial_metadata", {}).pop(trial.trial_id, None)
            with contextlib.suppress(OSError, TypeError):
                Path(trial.local_path).rmdir()  # Tune would copy it to its storage
