"""One run of a submission: a driver of its own, found again after any crash of the service.

An attempt has a folder. Its driver takes a lock there first, then writes `begun`, and at its end
`exit`. So whoever comes later knows from the folder alone whether it runs (the lock is held), has
ended (`exit`), has died (`begun`, and neither) or never began; and an attempt that was started
twice because the service died in between runs once, because the second driver finds the first one's
mark.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import read_json

LAST_LINES: Final = 40
MOST_BYTES: Final = 20_000
TRIES: Final = 100
BETWEEN_SECONDS: Final = 0.05
Condition = Literal["unknown", "running", "ended", "died"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The folder of one run of a submission."""

    folder: Path

    @property
    def spec(self) -> Path:
        """The spec that it runs."""
        return self.folder / "spec.yaml"

    @property
    def orders(self) -> Path:
        """How it is to be run: results folder, whether failed trials are tried again."""
        return self.folder / "orders.json"

    @property
    def output(self) -> Path:
        """What the driver printed."""
        return self.folder / "output.txt"

    def prepare(self, spec: str, orders: Mapping[str, Any]) -> None:
        """Write down what the driver is to do.

        Raises:
            OSError: the disk is full or gone.
        """
        replace_file(self.spec, spec.encode())
        replace_file(self.orders, json.dumps(dict(orders)).encode())

    def start(self, environment: Mapping[str, str], driver: str) -> int:
        """Start a driver that goes on without this process; it does nothing if one did it before.

        Args:
            environment: its variables.
            driver: module that takes the attempt, by its name.

        Returns:
            id of the process, for `has_left`.

        Raises:
            OSError: no process could be started.
        """
        writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", driver, str(self.folder)],
            {**environment, "COLUMNS": "100"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.output), writing, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def take(self) -> IO[str] | None:
        """Take the attempt for this process; None where a driver has taken it before.

        The file that is returned stays open for as long as the driver lives.
        """
        lock = (self.folder / "lock").open("a+")
        for _ in range(TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if self._begun.exists():
                    lock.close()
                    return None
                time.sleep(BETWEEN_SECONDS)  # somebody looked whether a driver has it
        else:
            lock.close()
            return None
        if self._begun.exists():
            lock.close()
            return None
        replace_file(self._begun, json.dumps({"pid": os.getpid()}).encode())
        return lock

    def finish(self, exit_code: int) -> None:
        """Write down how the driver ended."""
        replace_file(self._exit, json.dumps({"exit_code": exit_code}).encode())

    @property
    def condition(self) -> Condition:
        """Whether its driver runs, has ended or has died; `unknown` where none has begun."""
        if self._is_held():
            return "running"
        # Looked at after the lock: a driver writes it before it lets the lock go.
        if self.exit_code is not None:
            return "ended"
        return "died" if self._begun.exists() else "unknown"

    @property
    def exit_code(self) -> int | None:
        """How the driver ended, None where it has not or has died."""
        found = read_json(self._exit)
        return int(found["exit_code"]) if isinstance(found, dict) else None

    def interrupt(self) -> bool:
        """Ask the driver to stop in good order; return whether there is one."""
        found = read_json(self._begun)
        if not isinstance(found, dict) or not self._is_held():
            return False
        os.kill(int(found["pid"]), signal.SIGTERM)
        return True

    def last_words(self) -> str:
        """Return the end of what the driver printed."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, self.output.stat().st_size - MOST_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-LAST_LINES:])

    @property
    def _begun(self) -> Path:
        return self.folder / "begun.json"

    @property
    def _exit(self) -> Path:
        return self.folder / "exit.json"

    def _is_held(self) -> bool:
        try:
            with (self.folder / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def has_left(process: int) -> bool:
    """Return whether a process that `Attempt.start` has started is gone, and let it rest."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] == process
    except ChildProcessError:
        return True
