"""An actor that trains nothing, in a module that every process of Ray can import."""

import zlib
from collections.abc import Iterator
from typing import Any

from ray import tune

from benchmarks.driver_scale import CHECKPOINT
from picosweep.sweeps.workers.work import Delivery, Work


class Stub(tune.Trainable):
    """Answers every step with a report whose loss is a formula."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take up the first trial."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial."""
        work: Work = new_config["work"]
        self.config = {"trial_id": work.trial_id}
        self._deliveries = _deliveries(work)
        return True

    def step(self) -> dict[str, Any]:
        """The next report."""
        return {"delivery": next(self._deliveries)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing."""


def _deliveries(work: Work) -> Iterator[Delivery]:
    luck = zlib.crc32(work.trial_id.encode()) / 2**32
    for step in work.plan.steps:
        loss = 2.0 + 3.0 * luck + 4.0 / step
        metrics = {
            "step": step,
            "tokens": 64 * step,
            "flops": 1e6 * step,
            "seconds": step / 1000,
            "training_seconds": step / 1000,
            "train_loss": loss,
            "val_loss": loss,
            "val_accuracy": 0.5,
            "val_perplexity": 2**loss,
            "bits_per_byte": loss,
            "learning_rate": 1e-3,
            "grad_norm": 1.0,
            "grad_norm_clipped": 1.0,
            "weight_norm": 1.0,
            "max_param_grad": 1.0,
            "tokens_per_second": 1.0,
            "peak_memory_bytes": 1,
        }
        yield Delivery(metrics=metrics, checkpoint=CHECKPOINT, node="here", device="cpu")
