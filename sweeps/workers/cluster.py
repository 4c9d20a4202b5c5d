"""Ray under a sweep: a local one that starts and ends with it, or the cluster it is run on."""

import logging
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training_config import PrecisionName
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.spec.schema import Resources
from picosweep.sweeps.workers.connection import (
    LOCAL,
    check_address,
    connect,
    local_options,
    socket_folder,
)
from picosweep.sweeps.workers.machine import usable_cpus
from picosweep.sweeps.workers.nodes import alive_nodes, check_code, silent_nodes

log = logging.getLogger("picosweep")

ROUNDING: Final = 1e-9
"""So that ten trials fit where each takes a tenth."""

RECOUNT_SECONDS: Final = 2.0
"""How often a sweep looks whether nodes have come or gone."""


def slots_of(available: Mapping[str, float], wanted: Resources) -> int:
    """Return how many trials fit on one node.

    A share of a GPU is a share of one: at 0.4 each, two trials fit on a GPU and four on two.

    Args:
        available: the node's resources as Ray names them, `CPU` and `GPU`.
        wanted: what one trial occupies.
    """
    slots = math.floor(available.get("CPU", 0.0) / wanted.cpu + ROUNDING)
    if not wanted.gpu:
        return slots
    gpus = available.get("GPU", 0.0)
    if wanted.gpu < 1:
        return min(slots, math.floor(gpus) * math.floor(1 / wanted.gpu + ROUNDING))
    return min(slots, math.floor(gpus / wanted.gpu + ROUNDING))


class Cluster:
    """The processes that train.

    Importing and starting Ray take seconds, so both wait for `start`, which `picosweep.run` calls
    while the data is being prepared.

    Args:
        resources: what a trial occupies, and how many may run at once.
        modules: the user's own modules, which are sent to other machines.
    """

    def __init__(self, resources: Resources, modules: Sequence[Path] = ()) -> None:
        self._resources = resources
        self._modules = [str(path) for path in modules]
        self._running = False
        self._local = os.environ.get("RAY_ADDRESS", "") in LOCAL
        self._num_cpus = usable_cpus()
        self._known_nodes: set[str] = set()
        self._counted_at = 0.0
        self.slots = 0
        """Trials that may be given out at once; 0 before `start`."""
        self.lost_nodes = 0
        """Number of nodes lost since `start`, also those that Ray still counts as alive."""
        self._silent: set[str] = set()
        self._warned = False

    def check(self) -> None:
        """Check what can be checked at once; `start` does the rest.

        Raises:
            InputError: one trial asks for more CPUs than this machine has, Ray has no place for
                its sockets, or no cluster answers where it should be.
        """
        if not self._local:
            check_address(os.environ["RAY_ADDRESS"])
        else:
            socket_folder()
            self._check_fits({"CPU": self._num_cpus, "GPU": math.inf})

    def start(self) -> None:
        """Start Ray or join the cluster.

        Raises:
            InputError: one trial asks for more than there is, no cluster answers, or a node has
                other code than the driver.
        """
        if self._running:
            return
        options: dict[str, Any] = {}
        if self._local:
            options = local_options(self._resources)
        elif self._modules:
            options = {"runtime_env": {"py_modules": self._modules}}
        try:
            connect(**options)
        except KeyboardInterrupt:
            self._running = True  # half started, and to be stopped
            raise
        self._running = True
        self._count()

    def recount(self) -> int:
        """Return how many trials may be given out at once now: nodes come and go.

        Raises:
            InputError: a node has joined that has other code than the driver.
        """
        if not self._local and time.monotonic() - self._counted_at > RECOUNT_SECONDS:
            self._count()
        return self.slots

    def find_lost_nodes(self) -> None:
        """Update `lost_nodes`, before Ray itself notices a loss."""
        if not self._local:
            self._silent = silent_nodes(alive_nodes())
            self._count()

    def _count(self) -> None:
        nodes = alive_nodes()
        if self._silent:
            self._silent &= silent_nodes(node for node in nodes if node["NodeID"] in self._silent)
            nodes = [node for node in nodes if node["NodeID"] not in self._silent]
        ids = {node["NodeID"] for node in nodes}
        if not self._local:
            check_code([node for node in nodes if node["NodeID"] not in self._known_nodes])
        self.lost_nodes += len(self._known_nodes - ids)
        self._known_nodes = ids
        self._counted_at = time.monotonic()
        room = sum(slots_of(node["Resources"], self._resources) for node in nodes)
        if not room and self._local:
            self._check_fits(nodes[0]["Resources"])
        if not room and not self._warned:
            self._warned = True
            wanted = f"{self._resources.cpu:g} CPUs and {self._resources.gpu:g} GPUs"
            log.warning("no node has room for a trial, which asks for %s: waiting for one", wanted)
        if not self._local:
            # An autoscaling cluster adds nodes for work that waits.
            self.slots = self._resources.max_concurrent or max(1, room)
        else:
            self.slots = max(1, min(room, self._resources.max_concurrent or room))

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
        """Return the prepared data as every process can open it: from disk where that is there."""
        import ray  # noqa: PLC0415

        from picosweep.sweeps.workers.work import Shared  # noqa: PLC0415

        return Shared(
            folder=data.folder,
            fingerprint=data.meta.fingerprint,
            reference=None if self._local and data.folder is not None else ray.put(data),
        )

    def own_code(self, hashes: Mapping[str, str]) -> Any:
        """Return how other processes find the user's modules, by whose hashes trials are known."""
        from picosweep.sweeps.workers.work import OwnCode  # noqa: PLC0415

        folders = tuple(os.path.abspath(folder) for folder in sys.path)  # noqa: PTH100 - "" is here
        return OwnCode(search_path=folders, hashes=hashes)

    def measure_formats(
        self,
        candidate: Candidate,
        data: PreparedData,
        hashes: Mapping[str, str],
        initial: bytes | None,
    ) -> dict[PrecisionName, float]:
        """Return the seconds of this configuration's training step in each number format."""
        from picosweep.sweeps.workers.actor import measure_formats  # noqa: PLC0415

        return measure_formats(
            candidate.trial,
            self.share(data),
            own_code=self.own_code(hashes),
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
