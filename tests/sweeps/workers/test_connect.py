"""What is said when Ray cannot be started or joined."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.spec.schema import Resources
from picosweep.sweeps.workers import connection
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.connection import check_address, connect, socket_folder


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("Timed out waiting for file node_ip_address.json"), "very busy"),
        (TimeoutError("the raylet did not answer"), "very busy"),
        (RuntimeError("Version mismatch: Ray 2.59.0"), "other versions"),
        (ConnectionError("Could not find any running Ray instance"), "no Ray cluster answers"),
    ],
)
def test_every_failure_to_connect_is_a_message(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    """With what Ray said, and what may help."""

    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(connection, "check_address", lambda _address: None)
    with pytest.raises(InputError, match=message) as refused:
        connect(address="198.51.100.1:6379")
    assert str(error) in str(refused.value)


@contextlib.contextmanager
def service(answer: bytes) -> Iterator[int]:
    """Something that listens on a port and says one thing; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller, _ = listening.accept()
                caller.recv(100)
                caller.sendall(answer)
                caller.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://127.0.0.1:10001", "an address of Ray Client"),
        ("http://127.0.0.1:8265", "an address of another service"),
        ("nonsense", "no address of a Ray cluster"),
        ("127.0.0.1:", "no address of a Ray cluster"),
        ("127.0.0.1:99999", "no Ray cluster answers us"),
        ("127.0.0.1:1", "no Ray cluster answers us: Connection refused"),
        ("no-such-host.invalid:6379", "no Ray cluster answers us"),
    ],
)
def test_addresses_that_lead_nowhere(address: str, message: str) -> None:
    """They are told at once: Ray would try for a quarter of an hour."""
    began = time.monotonic()
    with pytest.raises(InputError, match=message) as refused:
        check_address(address)
    assert f"found:   {address}" in str(refused.value)
    assert time.monotonic() - began < 60


def test_only_grpc_is_taken_for_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another service on the port is told; one that begins like gRPC's is for Ray to judge."""
    told = "what answers there is no Ray cluster"
    with service(b"HTTP/1.1 400 Bad\r\n\r\n") as port, pytest.raises(InputError, match=told):
        check_address(f"127.0.0.1:{port}")
    with service(bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + bytes(6)) as port:
        check_address(f"127.0.0.1:{port}")
    check_address("auto")
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with service(b"") as port:
        check_address(f"127.0.0.1:{port}")


def test_long_and_foreign_temporary_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sockets go to a short folder of this user's own, or the message says what is needed."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert socket_folder() is None
    monkeypatch.setattr(connection, "SHORT_FOLDERS", (tmp_path / "none", tmp_path))
    for folder in ("/scratch/" + "x" * 60, "/tmp/läng"):
        monkeypatch.setenv("TMPDIR", folder)
        assert socket_folder() == str(tmp_path / f"picosweep-{os.getuid()}" / "ray")
        assert (tmp_path / f"picosweep-{os.getuid()}").stat().st_mode & 0o077 == 0
    monkeypatch.setattr(connection, "SHORT_FOLDERS", ())
    with pytest.raises(InputError, match=r"TMPDIR: Ray cannot keep its sockets(.|\n)*RAY_TMPDIR"):
        socket_folder()
    monkeypatch.setenv("RAY_TMPDIR", "/short")
    assert socket_folder() is None
    monkeypatch.setenv("RAY_TMPDIR", "/long" * 20)
    with pytest.raises(InputError, match=r"RAY_TMPDIR: .*\n.*\(100 bytes\)"):
        socket_folder()


def test_a_ray_of_the_users_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it already runs in this process, the message says so, and it goes on running."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    stopped: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: stopped.append(True))
    told = "Ray already runs in this process"
    with pytest.raises(InputError, match=told), Cluster(Resources()) as cluster:
        cluster.start()
    assert not stopped


def test_an_interrupt_stops_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray may be half started then."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    stopped: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: stopped.append(True))

    def interrupted(**_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", interrupted)
    with pytest.raises(KeyboardInterrupt), Cluster(Resources()) as cluster:
        cluster.start()
    assert stopped == [True]
