"""What was submitted, and in which order it is run: plain data and pure functions.

A submission runs by attempts. Each attempt is one run of `picosweep run`, so a second one resumes
what the first one left. `starting` is written down before a driver is started and says which
attempt is meant; whoever finds it after a crash may start that attempt again, because a driver
takes an attempt only once (see `attempts`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, Self, get_args

State = Literal[
    "waiting", "starting", "running", "paused", "completed", "incomplete", "refused", "cancelled",
    "failed",
]  # fmt: skip
"""`incomplete`: more trials failed than the spec allows; `refused`: bad input; `failed`: its driver
died or ended with an error of its own."""
Wish = Literal["", "pause", "cancel"]

STATES: Final[tuple[str, ...]] = get_args(State)
ACTIVE: Final = frozenset({"starting", "running"})
OPEN: Final = ACTIVE | {"waiting"}
"""States in which something is still to be done without anybody asking."""
MOST_PRIORITY: Final = 100


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One sweep that somebody asked for."""

    id: str
    sweep: str
    """Name of the sweep, and of its folder."""
    spec: str
    """YAML, as it was submitted."""
    state: State = "waiting"
    priority: int = 0
    """Higher ones start first, from -100 to 100."""
    position: float = 0.0
    """Among those of equal priority lower ones start first."""
    attempt: int = 0
    """Number of its last run; 0 before the first."""
    wish: Wish = ""
    """What a running one has been asked for."""
    retry_failed: bool = False
    """Whether its next attempt tries trials again that failed."""
    submitted_at: float = 0.0
    """Seconds since the epoch, as the others."""
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    """What the driver said last, where it did not complete the sweep."""
    key: str = ""
    """The submitter's own key: the same one submits nothing a second time."""

    def to_row(self) -> dict[str, Any]:
        """Return it in plain JSON types."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return what `to_row` gave; fields of later versions are left out.

        Raises:
            ValueError: a field is missing.
        """
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{name: value for name, value in row.items() if name in known})
        except TypeError as error:
            raise ValueError(f"no submission: {error}") from error


def in_order(submissions: Iterable[Submission]) -> list[Submission]:
    """Return those that wait, the next one first."""
    waiting = (one for one in submissions if one.state == "waiting")
    return sorted(waiting, key=lambda one: (-one.priority, one.position, one.submitted_at, one.id))


def next_to_start(submissions: Iterable[Submission], at_once: int) -> Submission | None:
    """Return the submission to start now; None where none waits or enough are running.

    Two of one sweep never run together: the second waits for the first.
    """
    everything = list(submissions)
    busy = {one.sweep for one in everything if one.state in ACTIVE}
    if sum(one.state in ACTIVE for one in everything) >= at_once:
        return None
    return next((one for one in in_order(everything) if one.sweep not in busy), None)


def moved(one: Submission, submissions: Iterable[Submission], place: int) -> Submission:
    """Return a waiting submission with the position that makes it the `place`-th of its priority.

    Args:
        one: which is to be moved.
        submissions: all of them.
        place: from 0; beyond the last it becomes the last.
    """
    others = [x for x in in_order(submissions) if x.priority == one.priority and x.id != one.id]
    before = others[place - 1].position if 0 < place <= len(others) else None
    after = others[place].position if place < len(others) else None
    if place > len(others) and others:
        before = others[-1].position
    if before is None and after is None:
        return one
    if before is None:
        assert after is not None
        return replace(one, position=after - 1.0)
    return replace(one, position=before + 1.0 if after is None else (before + after) / 2)


def ended(one: Submission, exit_code: int | None, reason: str, now: float) -> Submission:
    """Return a running submission after its driver has ended.

    Args:
        one: which it was.
        exit_code: of `picosweep run`; None where the driver died without one.
        reason: what the driver said last.
        now: seconds since the epoch.
    """
    state: State = {0: "completed", 2: "refused", 3: "incomplete"}.get(exit_code, "failed")  # type: ignore[arg-type, assignment]
    if exit_code != 0 and one.wish:
        state = "paused" if one.wish == "pause" else "cancelled"
    return replace(
        one,
        state=state,
        wish="",
        retry_failed=False,
        exit_code=exit_code,
        ended_at=now,
        reason="" if state in ("completed", "paused", "cancelled") else reason,
    )
