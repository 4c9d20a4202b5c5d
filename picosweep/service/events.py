"""What watchers are told: one reader of each sweep's journal, its words encoded once for all.

An event's id is where the journal stands after it, so a watcher that comes back says what it has
seen and misses nothing. A watcher that reads too slowly is told to load anew, and holds up nobody.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from picosweep.service.sweep_view import Change, Views

LOOK_SECONDS: Final = 0.25
"""At most four events a second."""
EVENTS_A_SECOND: Final = 1000
"""Over all watchers: the more there are, the rarer each is told."""
SILENCE_SECONDS: Final = 15.0
MOST_WATCHERS: Final = 2000
MOST_WAITING: Final = 32
MOST_CHANGES: Final = 200
"""Changes of one event; after more a watcher loads anew."""
SHOWN: Final = (
    "trial_id", "architecture", "status", "cohort", "rung", "step", "val_loss", "action", "value",
    "cutoff", "error", "kind", "text",
)  # fmt: skip


class TooManyWatchersError(RuntimeError):
    """There are as many watchers as the service serves."""


@dataclass(eq=False)
class _Watcher:
    queue: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def tell(self, event: bytes) -> None:
        """Put an event at the end, or, where there is no room, one that says to load anew."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(encoded("reload", {}))


def encoded(kind: str, content: Any, position: str = "") -> bytes:
    """Return a server-sent event."""
    text = json.dumps(content, separators=(",", ":"), default=str)
    head = f"id: {position}\n" if position else ""
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()


def as_event(changes: list[Change] | None) -> bytes:
    """Return one event for what was written since the last one; None: nobody knows what."""
    if not changes or len(changes) > MOST_CHANGES:
        return encoded("reload", {})
    rows = [
        {"table": one.table, **{name: one.row[name] for name in SHOWN if name in one.row}}
        for one in changes
    ]
    return encoded("changes", rows, changes[-1].position)


class Broadcast:
    """Tells all watchers of a sweep, or of the queue, what has changed.

    Args:
        views: views of the sweeps.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._watchers: dict[str, set[_Watcher]] = {}
        self._seen: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def num_watchers(self) -> int:
        """How many there are."""
        return sum(map(len, self._watchers.values()))

    def tell_queue(self, content: Any) -> None:
        """Tell every watcher, those of a sweep as well; called in the event loop's thread."""
        event = encoded("queue", content)
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.tell(event)

    async def watch(self, sweep: str, seen: str = "") -> AsyncIterator[bytes]:
        """Yield the events of a sweep, or of the queue where its name is empty.

        Args:
            sweep: its name.
            seen: id of the last event that the watcher has had; it is told first what came since.

        Raises:
            TooManyWatchersError: no more can be served.
        """
        if self.num_watchers >= MOST_WATCHERS:
            raise TooManyWatchersError("too many watchers; try again later")
        watcher = _Watcher()
        self._watchers.setdefault(sweep, set()).add(watcher)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            yield b": here\n\n"
            if sweep:
                position, missed = await asyncio.to_thread(self._since, sweep, seen)
                self._seen.setdefault(sweep, position)
                if missed is not None:
                    yield missed
            while True:
                try:
                    yield await asyncio.wait_for(watcher.queue.get(), SILENCE_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            watchers = self._watchers.get(sweep, set())
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(sweep, None)
                self._seen.pop(sweep, None)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look(self) -> None:
        while self._watchers:
            for sweep in [name for name in self._watchers if name]:
                event = await asyncio.to_thread(self._news, sweep)
                if event is not None:
                    for watcher in self._watchers.get(sweep, ()):
                        watcher.tell(event)
            await asyncio.sleep(max(LOOK_SECONDS, self.num_watchers / EVENTS_A_SECOND))

    def _since(self, sweep: str, seen: str) -> tuple[str, bytes | None]:
        """Return where a sweep's journal stands, and what came after an event."""
        view = self._views.of(sweep)
        if view is None:
            return "", None
        changes = view.changes_since(seen) if seen else []
        return view.position, as_event(changes) if changes != [] else None

    def _news(self, sweep: str) -> bytes | None:
        view = self._views.of(sweep)
        if view is None:
            return None
        before, self._seen[sweep] = self._seen.get(sweep, view.position), view.position
        if before == view.position:
            return None
        return as_event(view.changes_since(before))
