"""One driver's life as its user sees it: a command, its processes, its end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 90.0


def command(*arguments: str | Path) -> list[str]:
    """The command line under test."""
    return [sys.executable, "-m", "picosweep.cli", *map(str, arguments)]


def environment(orders: Path) -> dict[str, str]:
    """What every process of the sweep gets: the model's module and where its orders lie."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PICOSWEEP_CHAOS": str(orders)}


class Driver:
    """A running `picosweep run`."""

    def __init__(self, spec: Path, results: Path, orders: Path, output: Path) -> None:
        self._output = output.open("wb")
        self.process = subprocess.Popen(
            command("run", spec, "--results", results),
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=ROOT,
            env=environment(orders),
        )
        self._family: set[int] = set()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def workers(self) -> list[int]:
        """The processes that train."""
        return [pid for pid, title in self.processes() if "TrialActor" in title]

    def node(self) -> int | None:
        """Ray's process for this machine."""
        return next((pid for pid, title in self.processes() if "raylet/raylet" in title), None)

    def processes(self) -> list[tuple[int, str]]:
        """All processes below the driver and their titles."""
        found = list(_descendants(self.process.pid))
        self._family |= {pid for pid, _ in found}
        return found

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait for its end and that of everything it started; its exit code."""
        try:
            code = self.process.wait(timeout=seconds)
        finally:
            self.end()
        return code

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        self.processes()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._output.close()
        wait_for(lambda: not any(_is_alive(pid) for pid in self._family), 10, give_up=False)
        for pid in self._family:
            kill(pid)


def kill(pid: int) -> bool:
    """SIGKILL a process; whether there was one."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool], seconds: float, *, give_up: bool = True) -> bool:
    """Wait until something holds; whether it does.

    Raises:
        TimeoutError: it does not, and `give_up` was asked for.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            if give_up:
                raise TimeoutError(f"it did not happen within {seconds:g} s")
            return False
        time.sleep(0.02)
    return True


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _descendants(ancestor: int) -> Iterator[tuple[int, str]]:
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                titles[int(entry.name)] = (entry / "cmdline").read_text()
                parents[int(entry.name)] = int(stat[1])
    for pid in parents:
        parent = pid
        while parent in parents and parent != ancestor:
            parent = parents[parent]
        if parent == ancestor and pid != ancestor:
            yield pid, titles[pid]
