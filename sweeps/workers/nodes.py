"""The nodes of a Ray cluster: what they have, and whether all run the same code."""

import concurrent.futures
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.workers.code_version import code_digest
from picosweep.sweeps.workers.connection import connected

PROBE_SECONDS: Final = 0.5
MAX_PROBES: Final = 64

CHECK_SECONDS: Final = 120.0
"""How long nodes may take to start a process and answer which code they have."""


def list_nodes(address: str) -> list[dict[str, Any]]:
    """Return host name, CPUs and GPUs of a cluster's living nodes."""
    with connected(address):
        return [
            {
                "host": node["NodeManagerHostname"],
                "cpus": node["Resources"].get("CPU", 0.0),
                "gpus": node["Resources"].get("GPU", 0.0),
            }
            for node in alive_nodes()
        ]


def alive_nodes() -> list[dict[str, Any]]:
    """Return Ray's description of every living node."""
    import ray  # noqa: PLC0415

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def silent_nodes(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of nodes that do not accept a connection.

    When a node dies, its actors are gone at once, but Ray counts the node as alive until several
    health checks have failed: 15 s where its processes were killed, a minute after a power cut.
    """

    def silent(node: Mapping[str, Any]) -> str | None:
        address = (node["NodeManagerAddress"], node["NodeManagerPort"])
        try:
            socket.create_connection(address, timeout=PROBE_SECONDS).close()
        except OSError:
            return str(node["NodeID"])
        return None

    with concurrent.futures.ThreadPoolExecutor(MAX_PROBES) as pool:
        return set(filter(None, pool.map(silent, nodes)))


def check_code(nodes: list[dict[str, Any]]) -> None:
    """Check that nodes would train with the driver's code, as far as they answer in time.

    Raises:
        InputError: one has none, or other code: its trials would not be what their ids say.
    """
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    ask = ray.remote(num_cpus=0, max_retries=0)(code_digest)
    asked = {
        ask.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(): node
        for node in nodes
    }
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CHECK_SECONDS)
    for answer in ready:
        host = asked[answer]["NodeManagerHostname"]
        try:
            found = ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            raise _differs(host, f"no usable Picosweep: {_last_line(error)}") from error
        except ray.exceptions.RayError:
            continue  # the node has just left
        if found != code_digest():
            raise _differs(host, f"code {found}, the driver has {code_digest()}")


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _differs(host: str, found: str) -> InputError:
    return input_error(
        f"the node {host} does not have the driver's code",
        where=str(host),
        found=found,
        hint="`ray up cluster.yaml` again brings all nodes up to date",
    )
