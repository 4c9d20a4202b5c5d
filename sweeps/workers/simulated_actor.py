"""An actor that trains nothing, for what Ray and Tune cost around the training."""

from collections.abc import Iterator
from typing import Any, Final

from picosweep.sweeps.workers.simulated import simulated_report
from picosweep.sweeps.workers.work import Delivery, StationaryActor, Work

CHECKPOINT: Final = b"x"


class SimulatedActor(StationaryActor):
    """Answers every step with a report at once."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first trial."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial."""
        work: Work = new_config["work"]
        self.config = {"trial_id": work.trial_id}
        self._deliveries = _deliveries(work)
        return True

    def step(self) -> dict[str, Any]:
        """Return the next report."""
        return {"delivery": next(self._deliveries)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Leave checkpoints to the reports that they travel with."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Leave the trial as it is: it begins anew, whatever its checkpoint."""


def _deliveries(work: Work) -> Iterator[Delivery]:
    luck = int(work.trial_id, 16) / 16 ** len(work.trial_id)
    for step in work.plan.steps:
        metrics = simulated_report(
            step=step,
            tokens=64 * step,
            flops=1e6 * step,
            seconds=step / 1000,
            training_seconds=step / 1000,
            loss=2.0 + 3.0 * luck + 4.0 / step,
        )
        yield Delivery(metrics=metrics, checkpoint=CHECKPOINT, node="here", device="cpu")
