"""The queue on disk: a journal of the same kind as a sweep's, one line for each change.

A line is in the operating system's hands before a change is answered, so killing the service loses
none. Only one service writes: it holds a lock beside the journal.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from picosweep.service.queue.submissions import Submission
from picosweep.sweeps.store.journal import Journal
from picosweep.sweeps.store.lock import lock_folder

TABLE: Final = "submissions"


class Ledger:
    """All submissions, and every change of them.

    Args:
        folder: folder of the service, below the results folder.

    Raises:
        InputError: another service holds it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._lock: IO[str] = lock_folder(folder)
        self._journal = Journal(folder / "queue")
        self._held: dict[str, Submission] = {}
        self._guard = threading.RLock()
        for transaction in self._journal.read():
            for table, row in transaction.entries:
                if table == TABLE:
                    one = Submission.from_row(row)
                    self._held[one.id] = one

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other threads from changing anything while a decision is made."""
        with self._guard:
            yield

    def all(self) -> list[Submission]:
        """Return all submissions, the oldest first."""
        with self._guard:
            return sorted(self._held.values(), key=lambda one: (one.submitted_at, one.id))

    def get(self, name: str) -> Submission | None:
        """Return a submission by its id, None where there is none."""
        with self._guard:
            return self._held.get(name)

    def write(self, one: Submission) -> Submission:
        """Write a submission down, new or changed, and return it.

        Raises:
            OSError: the disk is full or gone; nothing has changed.
        """
        with self._guard:
            self._journal.append((TABLE, one.to_row()))
            self._held[one.id] = one
            return one

    def close(self) -> None:
        """Let another service take over."""
        self._journal.close()
        self._lock.close()
