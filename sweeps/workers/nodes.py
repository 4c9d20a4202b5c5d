"""The nodes of a Ray cluster: joining it, what it has, and whether all run the same code."""

import concurrent.futures
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.workers.code_version import code_digest

SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "31536000",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
}
"""No request to anywhere, no files and no messages that nobody reads, and Ctrl-C is ours. As many
trials may wait for their actors as we hand out: by default one, and actors start one by one."""

PROBE_SECONDS: Final = 0.5
MAX_PROBES: Final = 64

CHECK_SECONDS: Final = 120.0
"""How long nodes may take to start a process and answer which code they have."""


def connect(**options: Any) -> None:
    """Start Ray, or join the cluster that `address` or `RAY_ADDRESS` names, printing nothing.

    Raises:
        InputError: no cluster answers there, it has another token, or other versions.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray  # noqa: PLC0415 - takes a second

    from picosweep.sweeps.workers.ray_private import JobWithoutPaths  # noqa: PLC0415

    if ray.is_initialized():
        raise input_error(
            "Ray already runs in this process",
            where="ray.init",
            hint="call ray.shutdown() before: a sweep starts Ray and stops it",
        )
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    where = str(options.get("address") or os.environ.get("RAY_ADDRESS") or "this machine")
    try:
        with _keeping_sigterm():
            ray.init(
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                job_config=JobWithoutPaths(),
                **options,
            )
    except ray.exceptions.AuthenticationError as error:
        raise input_error(
            "the Ray cluster did not accept our token",
            where=where,
            found=_first_line(error),
            hint="~/.ray/auth_token must hold the cluster's token, here and on every node",
        ) from error
    except ConnectionError as error:
        raise input_error(
            "no Ray cluster answers us",
            where=where,
            found=_first_line(error),
            hint="is it up (`ray up cluster.yaml`), and is ~/.ray/auth_token here its token?",
        ) from error
    except (RuntimeError, TimeoutError) as error:
        if "ersion mismatch" in str(error):
            raise input_error(
                "the Ray cluster runs other versions than this process",
                where=where,
                found=" ".join(str(error).split()),
                hint="install the same Python and the same constraints.txt on every node",
            ) from error
        raise input_error(
            "Ray could not be started or joined",
            where=where,
            found=_first_line(error),
            hint="a machine that is very busy needs another try; no result is lost by it",
        ) from error


@contextlib.contextmanager
def _keeping_sigterm() -> Iterator[None]:
    """Put this process's own handler of SIGTERM back after a block.

    Ray's native code handles the signal itself and aborts the process: no table would be sealed and
    no report written when a sweep is stopped.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Join a cluster for the time of a block."""
    connect(address=address)
    import ray  # noqa: PLC0415

    try:
        yield
    finally:
        ray.shutdown()


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
