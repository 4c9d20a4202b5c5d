"""The service from a program and from the command line, over a real socket."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from picosweep.remote.service_client import Client
from picosweep.service.server import Settings, make_service
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.reader import read_rows
from tests.picosweep.service.conftest import SWEEP
from tests.small_sweep import here

SPEC = """\
name: mine
data: {source: pydocs, tokenizer: {kind: char}}
budget: {unit: steps, min: 10, rungs: 1}
architectures:
  kgram: {hidden_size: [8, 16]}
"""


@pytest.fixture(scope="module")
def service(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service on loopback whose queue is not at work."""
    results = shutil.copytree(simulated, tmp_path_factory.mktemp("there") / "results")
    made = make_service(Settings(results=results))
    config = uvicorn.Config(made.app, port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Client(f"http://127.0.0.1:{listener.getsockname()[1]}", made.keys.token)
    server.should_exit = True
    thread.join(10)
    listener.close()
    made.manager.close()


def test_a_sweep_comes_home_whole(service: Client, simulated: Path, tmp_path: Path) -> None:
    """Tables and journal are the same; what means something there alone stays there."""
    folder = service.fetch(SWEEP, tmp_path)
    for table in ("trials", "reports", "decisions"):
        assert read_rows(folder, table) == read_rows(simulated / SWEEP, table)
    assert not (folder / ".lock").exists()
    (status,) = service.status(SWEEP)
    assert status["num_trials"] == len(read_rows(folder, "trials"))


def test_what_is_wrong_is_said_as_on_the_command_line(service: Client, tmp_path: Path) -> None:
    """With the file's own name, the line, and what is allowed."""
    path = tmp_path / "mine.yaml"
    path.write_text(SPEC.replace("kgram", "kgrm"))
    with pytest.raises(InputError) as raised:
        service.submit(path)
    assert "mine.yaml:5" in str(raised.value)
    assert "kgram" in str(raised.value)
    with pytest.raises(InputError, match="no such sweep"):
        service.fetch("none", tmp_path)
    with pytest.raises(InputError, match="does not open it"):
        Client(service.url, "wrong").status()
    with pytest.raises(InputError, match="does not answer"):
        Client("http://127.0.0.1:9", "x").status()
    with pytest.raises(InputError, match="needs its token"):
        Client(service.url, "")
    with pytest.raises(InputError, match="begins with"):
        Client("file:///etc/passwd", "x")


def test_a_sweep_is_submitted_and_stopped(service: Client, tmp_path: Path) -> None:
    """It waits, since the queue is not at work here."""
    path = tmp_path / "mine.yaml"
    path.write_text(SPEC)
    one = service.submit(path, priority=3, key="k")
    assert service.submit(path, key="k")["id"] == one["id"]
    assert one["state"] == "waiting"
    assert "good order" in service.stop("mine")
    assert service.wait("mine")["state"] == "paused"
    assert service.resume("mine")["state"] == "waiting"
    service.stop("mine")


def test_the_command_line_does_it_there(
    service: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--server` by an option or a variable."""
    monkeypatch.setenv("PICOSWEEP_TOKEN", service._headers["authorization"].split()[1])
    said = here("--server", service.url, "status")
    assert f"{SWEEP}: not running" in said
    monkeypatch.setenv("PICOSWEEP_SERVER", service.url)
    assert SWEEP in here("fetch", SWEEP, "--results", str(tmp_path))
    assert (tmp_path / SWEEP / "trials").is_dir()
    assert "no sweep" not in here("--server", "", "status", "--results", str(tmp_path))
