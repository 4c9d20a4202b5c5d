"""What may be done with submissions, and the thread that starts drivers and notes how they end."""

import errno
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from picosweep.service.queue.attempts import Attempt, has_left
from picosweep.service.queue.ledger import Ledger
from picosweep.service.queue.submissions import (
    ACTIVE,
    MOST_PRIORITY,
    OPEN,
    Submission,
    ended,
    in_order,
    moved,
    next_to_start,
)
from picosweep.sweeps.errors import input_error

LOOK_SECONDS: Final = 0.5
FOLDER: Final = ".service"

log = logging.getLogger("picosweep.service")


class Manager:
    """The queue at work.

    Every change is on disk before its method returns. A driver is a process of its own: the service
    may end, or be killed, and finds it again.

    Args:
        results: folder in which sweeps land.
        at_once: sweeps that run at the same time.
        environment: variables of the drivers; None: those of this process.
        driver: module that runs an attempt.

    Raises:
        InputError: another service holds the results folder, or it cannot be written.
    """

    def __init__(
        self,
        results: Path,
        *,
        at_once: int = 1,
        environment: Mapping[str, str] | None = None,
        driver: str = "picosweep.attempt_driver",
    ) -> None:
        self.results = results.absolute()
        self.folder = self.results / FOLDER
        self.at_once = at_once
        self.trouble = ""
        """Why the queue stands still, in a sentence; empty when it does not."""
        self.on_change: list[Callable[[Submission], None]] = []
        self._environment = dict(os.environ if environment is None else environment)
        self._driver = driver
        self._ledger = Ledger(self.folder)
        self._children: dict[str, int] = {}
        """Processes of this service's own, by the ids of their submissions."""
        self._leaving: set[int] = set()
        self._wake, self._closing = threading.Event(), False
        self._thread: threading.Thread | None = None

    # Looking

    def all(self) -> list[Submission]:
        """Return all submissions, the oldest first."""
        return self._ledger.all()

    def get(self, name: str) -> Submission:
        """Return a submission by its id.

        Raises:
            InputError: there is none.
        """
        found = self._ledger.get(name)
        if found is None:
            raise input_error("no such submission", found=name)
        return found

    def queue(self) -> list[Submission]:
        """Return those that wait, the next one first."""
        return in_order(self._ledger.all())

    def attempt(self, one: Submission) -> Attempt:
        """Return the folder of a submission's last run."""
        return Attempt(folder=self.folder / "runs" / one.id / str(one.attempt))

    # Asking

    def submit(
        self, spec: str, sweep: str, *, priority: int = 0, key: str = "", retry_failed: bool = False
    ) -> Submission:
        """Put a sweep at the end of the queue; what was checked before is not checked here.

        Args:
            spec: YAML of the sweep.
            sweep: its name.
            priority: higher ones start first.
            key: the submitter's own key; where it was used before, that submission is returned.
            retry_failed: whether trials that failed in an earlier run are tried again.

        Raises:
            InputError: one of that name waits or runs, or the priority is out of range.
            OSError: it could not be written down.
        """
        _check_priority(priority)
        with self._ledger.changing():
            known = next((one for one in self.all() if key and one.key == key), None)
            if known is not None:
                return known
            self._check_free(sweep)
            now = time.time()
            one = Submission(
                id=secrets.token_hex(6), sweep=sweep, spec=spec, priority=priority, key=key,
                position=self._last_position() + 1.0, submitted_at=now, retry_failed=retry_failed,
            )  # fmt: skip
            log.info("sweep %s: submitted as %s", sweep, one.id)
            return self._changed(one)

    def pause(self, name: str) -> Submission:
        """Stop a sweep in good order, or keep a waiting one from starting.

        Raises:
            InputError: there is none, or it has ended.
        """
        return self._stop(name, "pause")

    def cancel(self, name: str) -> Submission:
        """Stop a sweep for good; what it has trained stays in its folder.

        Raises:
            InputError: there is none, or it has ended.
        """
        return self._stop(name, "cancel")

    def resume(self, name: str, *, retry_failed: bool = False, spec: str = "") -> Submission:
        """Put a sweep that does not run into the queue again.

        Args:
            name: id of the submission.
            retry_failed: whether trials that failed are tried again.
            spec: YAML of a larger budget or space; empty: as it was.

        Raises:
            InputError: there is none, it waits or runs, or another of its name does.
        """
        with self._ledger.changing():
            one = self.get(name)
            if one.state in OPEN:
                raise input_error("it has not ended", key=one.sweep, found=one.state)
            self._check_free(one.sweep)
            return self._changed(
                replace(
                    one, state="waiting", wish="", retry_failed=retry_failed, reason="",
                    spec=spec or one.spec, position=self._last_position() + 1.0,
                )
            )  # fmt: skip

    def reorder(
        self, name: str, *, priority: int | None = None, place: int | None = None
    ) -> Submission:
        """Give a waiting sweep another priority, or another place among those of its priority.

        Raises:
            InputError: there is none, it does not wait, or the priority is out of range.
        """
        with self._ledger.changing():
            one = self.get(name)
            if one.state != "waiting":
                raise input_error("it does not wait any more", key=one.sweep, found=one.state)
            if priority is not None:
                _check_priority(priority)
                one = replace(one, priority=priority)
            if place is not None:
                one = moved(one, self.all(), place)
            return self._changed(one)

    def _stop(self, name: str, wish: Any) -> Submission:
        with self._ledger.changing():
            one = self.get(name)
            if one.state in ACTIVE:
                one = self._changed(replace(one, wish=wish))
                self.attempt(one).interrupt()
                return one
            if one.state not in OPEN and not (wish == "cancel" and one.state == "paused"):
                raise input_error("it has ended already", key=one.sweep, found=one.state)
            state: Any = "paused" if wish == "pause" else "cancelled"
            return self._changed(replace(one, state=state, wish="", ended_at=time.time()))

    def _check_free(self, sweep: str) -> None:
        busy = next((one for one in self.all() if one.sweep == sweep and one.state in OPEN), None)
        if busy is not None:
            raise input_error(
                f"a sweep of this name is {busy.state}",
                key="name",
                found=sweep,
                hint="give the spec another name, or wait for it",
            )

    def _last_position(self) -> float:
        return max((one.position for one in self.all()), default=0.0)

    def _changed(self, one: Submission) -> Submission:
        self._ledger.write(one)
        for hear in self.on_change:
            hear(one)
        self._wake.set()
        return one

    # Working

    def start(self) -> None:
        """Begin to start drivers, and to look how those of an earlier service are."""
        self._thread = threading.Thread(target=self._work, name="queue", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking after drivers, which go on, and let another service take over."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._ledger.close()

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            try:
                self.look()
                self.trouble = ""
            except OSError as error:  # a full disk, a folder that is gone: it may come back
                told = f"the queue stands still: {error}"
                if told != self.trouble:
                    log.error("%s", told)
                self.trouble = told
            except Exception:
                log.exception("the queue could not be looked after; it goes on")

    def look(self) -> None:
        """Note what has ended or died, and start what is to run now.

        Raises:
            OSError: something could not be written down; nothing is lost by that.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the results folder is gone", str(self.folder))
        with self._ledger.changing():
            self._leaving = {process for process in self._leaving if not has_left(process)}
            for one in self.all():
                if one.state in ACTIVE:
                    self._look_at(one)
            while (upcoming := next_to_start(self.all(), self.at_once)) is not None:
                self._begin(upcoming)

    def _begin(self, one: Submission) -> None:
        one = self._changed(
            replace(
                one, state="starting", attempt=one.attempt + 1, exit_code=None, reason="",
                started_at=time.time(), ended_at=None,
            )
        )  # fmt: skip
        log.info("sweep %s: attempt %d begins", one.sweep, one.attempt)
        self._spawn(one)

    def _spawn(self, one: Submission) -> None:
        """Start the driver of an attempt, which does nothing if another one has taken it."""
        attempt = self.attempt(one)
        orders = {"results": str(self.results), "retry_failed": one.retry_failed}
        attempt.prepare(one.spec, orders)
        self._children[one.id] = attempt.start(self._environment, self._driver)

    def _look_at(self, one: Submission) -> None:
        attempt = self.attempt(one)
        condition = attempt.condition
        child = self._children.get(one.id)
        if condition == "running" and one.state == "starting":
            one = self._changed(replace(one, state="running"))
            if one.wish:  # asked for before there was a driver to ask
                attempt.interrupt()
        elif condition in ("ended", "died"):
            self._note_end(one, attempt)
        elif condition == "unknown":
            if child is None:  # of an earlier service: it may begin yet, and one of the two will
                self._spawn(one)
            elif has_left(child) and attempt.condition == "unknown":
                self._note_end(one, attempt)

    def _note_end(self, one: Submission, attempt: Attempt) -> None:
        if (child := self._children.pop(one.id, None)) is not None:
            self._leaving.add(child)
        code = attempt.exit_code
        words = attempt.last_words()
        reason = words if code is not None else f"{words}\nits driver died".strip()
        done = self._changed(ended(one, code, reason, time.time()))
        log.info("sweep %s: %s", done.sweep, done.state)


def _check_priority(priority: int) -> None:
    if abs(priority) > MOST_PRIORITY:
        raise input_error(
            "the priority is out of range",
            found=str(priority),
            allowed=f"-{MOST_PRIORITY} to {MOST_PRIORITY}",
        )
