"""Every attempt at a trial: where it had to begin, and whether it trained more than was left.

Training steps are logged with the process that took them, so that an attempt's steps can be held
against the reports that the driver had seen before it began. The bound is exact: an attempt begins
at the trial's last report, or at the newest checkpoint that damage has left, and its last step lies
before the report that comes next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.disk import Disk


@dataclass(frozen=True)
class Life:
    """What a driver found when it was started."""

    began: int
    """Microseconds since the epoch."""
    starts: Mapping[str, int]
    last_steps: Mapping[str, int]

    @classmethod
    def of(cls, began: int, disk: Disk) -> "Life":
        """A driver that finds a folder like this."""
        return cls(began, disk.starts(), disk.last_steps())


@dataclass
class Attempt:
    """The steps that one process took in one trial."""

    number: int
    first: int
    """Microseconds since the epoch."""
    num_steps: int = 0


@dataclass
class History:
    """When which report was seen, over all drivers' lives, and which trial a number stands for."""

    lives: list[Life] = field(default_factory=list)
    reports: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    """Time and step of each report of each trial, those that were erased later, too."""
    ids: dict[int, str] = field(default_factory=dict)

    def note(self, disk: Disk) -> None:
        """Take in what a driver has left."""
        self.ids |= {row["number"]: trial_id for trial_id, row in disk.trials.items()}
        for (table, trial_id, step), row in disk.rows.items():
            if table == "reports":
                # Parquet gives a moment in time, the journal a number.
                time = row["time"]
                micros = time if isinstance(time, int) else round(time.timestamp() * 1e6)
                self.reports.setdefault(trial_id, set()).add((micros, step))

    def excesses(self, attempts: Iterable[Attempt], points: Sequence[int]) -> list[str]:
        """Attempts that trained what need not have been trained, in words.

        Args:
            attempts: all of them.
            points: the steps at which trials report.
        """
        by_trial: dict[int, list[Attempt]] = {}
        for attempt in sorted(attempts, key=lambda attempt: attempt.first):
            by_trial.setdefault(attempt.number, []).append(attempt)
        found = []
        for number, own in by_trial.items():
            trial_id = self.ids.get(number)
            if trial_id is None:
                found.append(f"number {number} was trained and has no row")
                continue
            ends = [attempt.first for attempt in own[1:]] + [2**63]
            for attempt, end in zip(own, ends, strict=True):
                start, left = self._allowed(trial_id, attempt.first, end, points)
                if attempt.num_steps > left:
                    took = f"took {attempt.num_steps} steps from {start}"
                    found.append(f"{trial_id}: an attempt {took}, and {left} were to be taken")
        return found

    def _allowed(
        self, trial_id: str, first: int, end: int, points: Sequence[int]
    ) -> tuple[int, int]:
        """Where an attempt began, and how many steps it may have taken before `end`."""
        borders = [*self.lives[1:], None]
        life, after = next(
            (life, after)
            for life, after in zip(self.lives, borders, strict=True)
            if life.began <= first and (after is None or first < after.began)
        )
        if after is not None:
            end = min(end, after.began)
        seen = self.reports.get(trial_id, set())
        before = [step for time, step in seen if life.began <= time < first]
        until = [step for time, step in seen if life.began <= time < end]
        start = max([life.starts.get(trial_id, 0), *before])
        known = max([life.last_steps.get(trial_id, 0), *until])
        following = next((point for point in points if point > known), points[-1])
        return start, following - start


def read_attempts(steps_log: Path) -> list[Attempt]:
    """The attempts in a log of lines `number process microseconds`, one a training step."""
    attempts: dict[tuple[int, int], Attempt] = {}
    for line in steps_log.read_text().splitlines():
        number, process, micros = map(int, line.split())
        attempt = attempts.setdefault((number, process), Attempt(number, micros))
        attempt.first = min(attempt.first, micros)
        attempt.num_steps += 1
    return list(attempts.values())
