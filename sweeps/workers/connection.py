"""Starting Ray on this machine or joining a cluster, and what is said when that cannot be."""

import contextlib
import logging
import os
import re
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.spec.schema import Resources
from picosweep.sweeps.workers.machine import usable_cpus

Handlers: TypeAlias = dict[signal.Signals, Any]

SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "31536000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
}
"""No request to anywhere, no files and no messages that nobody reads, and Ctrl-C is ours. As many
trials may wait for their actors as we hand out: by default one, and actors start one by one."""

WARM: Final = "picosweep.sweeps.workers.actor,picosweep.pico.training.first_step"
"""What Ray's processes import while they wait for work: what training imports, and a first step."""

OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Ray's shared memory on one machine: checkpoints in flight. The data is mapped from disk."""

LOCAL: Final = frozenset({"", "local"})
"""Values of `RAY_ADDRESS` that mean this machine, with a Ray of our own."""

ANSWER_SECONDS: Final = 10.0
"""How long a cluster may take to accept a connection. Ray itself would try for a quarter of an
hour before it says that nobody answers."""

_SETTINGS_FRAME: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""Length (0), type (4), flags and stream, see RFC 9113, section 6.5."""

SHORT_FOLDERS: Final = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108
"""Where a folder of this user's own is made for sockets; others cannot write to it."""

_IN_SESSION: Final = "/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"
MOST_SOCKET_BYTES: Final = (104 if sys.platform == "darwin" else 108) - 1
"""Bytes of the longest path that a Unix socket may have, see unix(7)."""


def local_options(resources: Resources) -> dict[str, Any]:
    """Return how a Ray of our own is started on this machine.

    Raises:
        InputError: there is no place for its sockets.
    """
    num_cpus = usable_cpus()
    # Ray starts a process for each CPU; unless half of them are used, most import in vain.
    fit = num_cpus / resources.cpu
    if 2 * min(fit, resources.max_concurrent or fit) >= num_cpus:
        os.environ.setdefault("RAY_preload_python_modules", WARM)
        # Ray ends those that wait for a second while no CPU is free: as when Tune has asked for all
        # of them and not yet for the actors.
        os.environ.setdefault("RAY_num_workers_soft_limit", str(num_cpus))
    return {
        "address": "local",  # never somebody else's cluster on this machine
        "num_cpus": num_cpus,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        "_temp_dir": socket_folder(),
    }


class _Early:
    """A Ray that a thread starts while this process still imports what a sweep needs.

    The thread stays to the end of the process: Ray's processes end with the thread that started
    them (PR_SET_PDEATHSIG, see prctl(2)).
    """

    pending: ClassVar["_Early | None"] = None

    def __init__(self, options: dict[str, Any]) -> None:
        self._error: BaseException | None = None
        self._ready = threading.Event()
        threading.Thread(target=self._start, args=(options,), daemon=True).start()

    def _start(self, options: dict[str, Any]) -> None:
        # Inherited by Ray's processes, which outlive the terminal; see `_own_signals`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            _connect(**options)
        except BaseException as error:  # noqa: BLE001 - is raised where Ray is waited for
            self._error = error
        self._ready.set()
        threading.Event().wait()

    def wait(self) -> None:
        """Wait until it has started, and raise what kept it from that."""
        try:
            self._ready.wait()
        finally:
            _set_handlers(_handlers())  # Ray's native code has set its own
        if self._error is not None:
            raise self._error


def connect_early(resources: Resources) -> None:
    """Begin to start a Ray of our own; the next `connect` waits for it.

    Raises:
        InputError: there is no place for its sockets.
    """
    _Early.pending = _Early(local_options(resources))


def stop_early() -> None:
    """Stop a Ray that `connect_early` has begun and that no `connect` has waited for.

    Its processes would end with this one, but for two that the raylet starts: they look for it
    every few seconds.
    """
    early, _Early.pending = _Early.pending, None
    if early is not None:
        early.wait()
        import ray  # noqa: PLC0415

        ray.shutdown()


def connect(**options: Any) -> None:
    """Start Ray, or join the cluster that `address` or `RAY_ADDRESS` names, printing nothing.

    Raises:
        InputError: no cluster answers there, it has another token, or other versions.
    """
    early, _Early.pending = _Early.pending, None
    if early is None:
        _connect(**options)
    else:
        early.wait()


def _connect(**options: Any) -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray  # noqa: PLC0415 - takes a second

    from picosweep.sweeps.workers.ray_private import (  # noqa: PLC0415
        JobWithoutPaths,
        few_processes,
    )

    if ray.is_initialized():
        raise input_error(
            "Ray already runs in this process",
            where="ray.init",
            hint="call ray.shutdown() before: a sweep starts Ray and stops it",
        )
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = str(options.get("address") or os.environ.get("RAY_ADDRESS", ""))
    if address not in LOCAL:
        check_address(address)
    where = "this machine" if address in LOCAL else address
    try:
        with _own_signals(), few_processes() if address in LOCAL else contextlib.nullcontext():
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
    except (RuntimeError, OSError, ValueError) as error:
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
            hint="a machine that is very busy needs another try; no result is lost by it"
            if isinstance(error, RuntimeError | TimeoutError)
            else "",
        ) from error


def check_address(address: str) -> None:
    """Check that an address is one that a driver can join, and that somebody answers there.

    Raises:
        InputError: it is of another kind, or nothing accepts a connection.
    """
    if address == "auto":
        return  # Ray looks for a node on this machine, and says at once if there is none
    place = {"where": "RAY_ADDRESS", "found": address}
    allowed = "host:port of a cluster's head, such as 10.0.0.1:6379; auto; or local"
    if "://" in address:
        kind = "of Ray Client" if address.startswith("ray://") else "of another service"
        hint = "run it on the head: picosweep submit does"
        raise input_error(f"an address {kind}", **place, allowed=allowed, hint=hint)
    written = re.fullmatch(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})", address)
    if written is None:
        raise input_error("no address of a Ray cluster", **place, allowed=allowed)
    host, port = written["host"].strip("[]"), int(written["port"])
    hint = "is it up (`ray up cluster.yaml`)? without RAY_ADDRESS a sweep runs here"
    try:
        with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
            is_grpc = os.environ.get("RAY_USE_TLS") == "1" or _answers_grpc(connection)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise input_error(f"no Ray cluster answers us: {reason}", **place, hint=hint) from error
    if not is_grpc:
        raise input_error("what answers there is no Ray cluster", **place, hint=hint)


def _answers_grpc(connection: socket.socket) -> bool:
    """Return whether a service begins like gRPC's: with a SETTINGS frame of HTTP/2 (RFC 9113)."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS_FRAME)
    return connection.recv(4)[3:] == _SETTINGS_FRAME[3:4]


def socket_folder() -> str | None:
    """Return where Ray may keep its sockets on this machine; None for where it would by itself.

    The path of a socket is short and, to Ray, ASCII. Batch systems hand out temporary folders
    that are longer.

    Raises:
        InputError: `RAY_TMPDIR` is such a folder, or there is no other one.
    """
    chosen = os.environ.get("RAY_TMPDIR")
    usual = chosen or os.environ.get("TMPDIR") or tempfile.gettempdir()
    if _holds_sockets(usual):
        return None
    most = MOST_SOCKET_BYTES - len(_IN_SESSION)
    for other in () if chosen else SHORT_FOLDERS:
        folder = other / f"picosweep-{os.getuid()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK):
                return str(folder / "ray")
    raise input_error(
        "Ray cannot keep its sockets in the temporary folder",
        where="RAY_TMPDIR" if chosen else "TMPDIR",
        found=f"{usual} ({len(os.fsencode(usual))} bytes)",
        allowed=f"at most {most} bytes, in ASCII",
        hint="let RAY_TMPDIR name a short folder",
    )


def _holds_sockets(folder: str) -> bool:
    return folder.isascii() and len(folder) + len(_IN_SESSION) <= MOST_SOCKET_BYTES


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our handlers over a block that starts Ray, and a hang-up from Ray's processes.

    Ray's native code handles SIGTERM itself and aborts the process: no table would be sealed and no
    report written when a sweep is stopped. A terminal that is closed sends SIGHUP to all processes
    of its group: they inherit that it is ignored, and live until the driver has left in good order.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handlers()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        _set_handlers(before)


def _handlers() -> Handlers:
    return {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}


def _set_handlers(handlers: Handlers) -> None:
    for one, handler in handlers.items():
        signal.signal(one, handler)


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
