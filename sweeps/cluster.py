"""Ray under a sweep: a local one that starts and ends with it, or the cluster it is run on."""

import logging
import math
import os
from types import TracebackType
from typing import Any, Final

from pico.data.prepared import PreparedData
from pico.training_config import PrecisionName
from sweeps.candidates import Candidate
from sweeps.errors import input_error
from sweeps.spec import Resources

OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Ray's shared memory on one machine: checkpoints in flight. The data is mapped from disk."""

_SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "31536000",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
"""No request to anywhere, no files and no messages that nobody reads, and Ctrl-C is ours."""


class Cluster:
    """The processes that train.

    Importing and starting Ray take seconds, so both wait for `start`, which the engine calls while
    the data is being prepared.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._running = False
        self._local = not os.environ.get("RAY_ADDRESS")
        self._num_cpus = len(os.sched_getaffinity(0))
        self.slots = 0
        """Trials that run at once; 0 before `start`."""

    def check(self) -> None:
        """See whether a trial fits on this machine, if that is where it is to run.

        Raises:
            InputError: one trial asks for more than there is.
        """
        if self._local:
            self._check_fits({"CPU": self._num_cpus, "GPU": math.inf})

    def start(self) -> None:
        """Start Ray or join the cluster.

        Raises:
            InputError: one trial asks for more than there is.
        """
        if self._running:
            return
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        import ray  # noqa: PLC0415

        logging.getLogger("ray").setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if self._local:
            options |= {
                "address": "local",  # never somebody else's cluster on this machine
                "num_cpus": self._num_cpus,
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
            }
        ray.init(**options)
        self._running = True
        available = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self._check_fits(available)
        self.slots = self._count_slots(available)

    def _count_slots(self, available: dict[str, float]) -> int:
        slots = available["CPU"] / self._resources.cpu
        if self._resources.gpu:
            slots = min(slots, available.get("GPU", 0) / self._resources.gpu)
        return max(1, min(math.floor(slots), self._resources.max_concurrent or math.floor(slots)))

    def _check_fits(self, available: dict[str, float]) -> None:
        for name, wanted in (("CPU", self._resources.cpu), ("GPU", self._resources.gpu)):
            if wanted > available.get(name, 0):
                raise input_error(
                    "one trial asks for more than there is",
                    key=f"resources.{name.lower()}",
                    found=f"{wanted:g}",
                    allowed=f"at most {available.get(name, 0):g}",
                )

    def share(self, data: PreparedData) -> Any:
        """The prepared data for every process: mapped from disk where the disk is shared."""
        import ray  # noqa: PLC0415

        from sweeps.trainable import Shared  # noqa: PLC0415

        several = sum(node["Alive"] for node in ray.nodes()) > 1  # type: ignore[no-untyped-call]
        return Shared(
            folder=data.folder,
            fingerprint=data.meta.fingerprint,
            reference=ray.put(data) if several or data.folder is None else None,
        )

    def measure_precision(
        self, candidate: Candidate, data: PreparedData, initial: bytes | None
    ) -> PrecisionName:
        """The number format in which this configuration trains fastest in one slot."""
        from sweeps.trainable import measure_precision  # noqa: PLC0415

        return measure_precision(
            candidate.trial,
            self.share(data),
            initial=initial,
            num_cpus=self._resources.cpu,
            num_gpus=self._resources.gpu,
        )

    def stop(self) -> None:
        """Stop Ray, or leave the cluster."""
        if self._running:
            import ray  # noqa: PLC0415

            ray.shutdown()
            self._running = False

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
