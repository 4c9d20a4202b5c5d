"""The queue at work, with drivers that train nothing; and what is left after it was killed."""

import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from picosweep.service.queue.manager import Manager
from picosweep.service.queue.submissions import Submission
from picosweep.sweeps.errors import InputError

FAKE = "tests.picosweep.service.queue.fake_driver"
ROOT = Path(__file__).parents[4]
KILLS = int(os.environ.get("PICOSWEEP_KILLS", "8"))
"""Moments at which the service is killed."""


def _open(results: Path, at_once: int = 1) -> Manager:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return Manager(results, at_once=at_once, driver=FAKE, environment=environment)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A queue at work."""
    found = _open(tmp_path)
    found.start()
    yield found
    for one in found.all():
        found.attempt(one).interrupt()
    found.close()


def _spec(name: str, **more: object) -> str:
    return json.dumps({"name": name, **more})


def _wait(manager: Manager, name: str, *states: str) -> Submission:
    end = time.monotonic() + 30
    while manager.get(name).state not in states:
        assert time.monotonic() < end, manager.get(name)
        time.sleep(0.02)
    return manager.get(name)


def _ran(manager: Manager) -> list[str]:
    path = manager.folder / "ran.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_sweeps_run_one_after_another(manager: Manager) -> None:
    """The second waits for the first, and each ends with what its driver said."""
    first = manager.submit(_spec("a", seconds=0.3), "a")
    second = manager.submit(_spec("b", code=2), "b")
    assert _wait(manager, second.id, "refused").reason == "the last words"
    assert manager.get(first.id).state == "completed"
    assert _ran(manager) == ["a 1", "b 1"]


def test_a_sweep_is_paused_and_goes_on(manager: Manager) -> None:
    """Its driver is asked to stop, and a second attempt follows."""
    one = manager.submit(_spec("a", seconds=30), "a")
    _wait(manager, one.id, "running")
    manager.pause(one.id)
    assert _wait(manager, one.id, "paused").exit_code == 130
    manager.resume(one.id, spec=_spec("a"))
    assert _wait(manager, one.id, "completed").attempt == 2
    assert _ran(manager) == ["a 1", "a 2"]


def test_what_waits_can_be_held_moved_and_cancelled(manager: Manager) -> None:
    """Nothing of it starts a driver."""
    first = manager.submit(_spec("a", seconds=30), "a")
    _wait(manager, first.id, "running")
    others = [manager.submit(_spec(name), name) for name in "bcd"]
    manager.reorder(others[2].id, place=0)
    manager.reorder(others[1].id, priority=7)
    assert [one.sweep for one in manager.queue()] == ["c", "d", "b"]
    assert manager.pause(others[0].id).state == "paused"
    assert manager.cancel(others[1].id).state == "cancelled"
    manager.cancel(first.id)
    _wait(manager, others[2].id, "completed")
    assert _ran(manager) == ["a 1", "d 1"]


def test_what_makes_no_sense_is_refused(manager: Manager) -> None:
    """Each with a message, and nothing changes."""
    one = manager.submit(_spec("a", seconds=30), "a", key="mine")
    assert manager.submit(_spec("a"), "a", key="mine") == manager.get(one.id), "submitted once"
    refused: list[Callable[[], object]] = [
        lambda: manager.submit(_spec("a"), "a"),
        lambda: manager.submit(_spec("b"), "b", priority=101),
        lambda: manager.resume(one.id),
        lambda: manager.get("none"),
        lambda: Manager(manager.results),
    ]
    for ask in refused:
        with pytest.raises(InputError):
            ask()
    _wait(manager, one.id, "running")
    with pytest.raises(InputError, match="does not wait"):
        manager.reorder(one.id, place=0)
    assert len(manager.all()) == 1


def test_a_driver_that_dies_is_told(manager: Manager) -> None:
    """It is not started again by itself: the sweep waits for somebody to look."""
    one = manager.submit(_spec("a", die=True), "a")
    assert "its driver died" in _wait(manager, one.id, "failed").reason
    manager.resume(one.id, spec=_spec("a"))
    _wait(manager, one.id, "completed")
    assert _ran(manager) == ["a 1", "a 2"]


def test_a_service_finds_the_drivers_of_the_one_before(tmp_path: Path) -> None:
    """A driver outlives its service, and its end is noted by the next one."""
    first = _open(tmp_path)
    one = first.submit(_spec("a", seconds=1.0), "a")
    first.look()
    assert first.get(one.id).state == "starting"
    first.close()
    second = _open(tmp_path)
    assert second.get(one.id).attempt == 1
    second.start()
    _wait(second, one.id, "completed")
    assert _ran(second) == ["a 1"]
    second.close()


def test_a_full_disk_stops_the_queue_and_nothing_is_lost(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service says why, and goes on when there is room again."""
    one = manager.submit(_spec("a", seconds=3), "a")
    _wait(manager, one.id, "running")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("picosweep.sweeps.store.journal.Journal.append", full)
        end = time.monotonic() + 10
        while "No space left" not in manager.trouble:
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises(OSError, match="No space left"):
            manager.submit(_spec("b"), "b")
    assert _wait(manager, one.id, "completed").exit_code == 0
    assert not manager.trouble
    assert [x.sweep for x in manager.all()] == ["a"]


SERVICE = """
import sys, time, json
from pathlib import Path
from tests.picosweep.service.queue.test_manager import _open, _spec
results, told, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
manager = _open(results, at_once=2)
manager.start()
wanted = [f"sweep{n}" for n in range(count)]
for name in wanted:
    one = manager.submit(_spec(name, seconds=0.05), name, key=name)
    with told.open("a") as file:
        file.write(one.id + "\\n")
    time.sleep(0.02)
while any(one.state != "completed" for one in manager.all()):
    time.sleep(0.02)
"""


@pytest.mark.timeout(300)
def test_killed_at_any_moment_it_loses_nothing_and_starts_nothing_twice(tmp_path: Path) -> None:
    """SIGKILL while sweeps are submitted and started: each runs once, and all told of are there."""
    moments, count = random.Random(3), 3 * KILLS
    told, kills = tmp_path / "told.txt", 0
    results = tmp_path / "results"
    command = [sys.executable, "-c", SERVICE, str(results), str(told), str(count)]
    while True:
        service = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        # Imports take half a second; what is to be hit comes after them.
        wait = None if kills >= KILLS else 0.4 + moments.random() * 0.6
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, errors = service.communicate(timeout=wait)
            assert service.returncode == 0, errors.decode()
            break
        service.send_signal(signal.SIGKILL)
        service.communicate()
        kills += 1
    assert kills == KILLS, "there was not enough to do"
    manager = _open(results)
    everything = manager.all()
    assert {one.sweep for one in everything} == {f"sweep{n}" for n in range(count)}
    assert set(told.read_text().split()) <= {one.id for one in everything}
    assert {one.state for one in everything} == {"completed"}
    ran = collections.Counter(_ran(manager))
    manager.close()
    assert ran == {f"sweep{n} 1": 1 for n in range(count)}
