"""What a sweep must hold, noted before and after every fault.

The rule is strict. Whatever was anywhere on the disk when a driver started must be there when it
has ended, with the same numbers. Only damage may take rows away, and only those of which it left
no copy; their number is told. What came again by training must be the same to the last bit.
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from picosweep.sweeps.store.tables import OF_MACHINE
from tests.chaos.attempts import History, Life, read_attempts
from tests.chaos.disk import TERMINAL, Disk, Key, Row, keys_twice, only_in_one, read_disk


@dataclass
class Ledger:
    """The books of one sweep.

    Args:
        folder: the sweep's.
        points: the steps at which a trial reports.
        rungs: those of them at which early stopping decides.
    """

    folder: Path
    points: tuple[int, ...]
    rungs: tuple[int, ...]
    expected: dict[Key, Row] = field(default_factory=dict)
    ends: dict[str, str | None] = field(default_factory=dict)
    """Every trial that must be known, and how it ended."""
    erased: dict[Key, Row] = field(default_factory=dict)
    """Rows of which damage left no copy."""
    robbed: set[str] = field(default_factory=set)
    """Trials of whose last report damage has left no checkpoint."""
    history: History = field(default_factory=History)
    lost: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)

    def before_life(self) -> None:
        """Hear that a driver is about to start."""
        began = int(time.time() * 1e6)
        self.history.lives.append(Life.of(began, read_disk(self.folder)))

    def after_life(self, life: str) -> None:
        """Hold what a driver has left against what it found.

        Args:
            life: what to call it.
        """
        disk = read_disk(self.folder)
        self.history.note(disk)
        for key, row in self.expected.items():
            if key not in disk.rows:
                self.lost.append(f"{life}: {key} is nowhere")
            elif not _same(row, disk.rows[key]):
                self.altered.append(f"{life}: {key} was {row} and is {disk.rows[key]}")
        for trial_id, end in self.ends.items():
            if trial_id not in disk.trials:
                self.lost.append(f"{life}: trial {trial_id} is nowhere")
            elif end is not None and disk.trials[trial_id]["status"] != end:
                now = disk.trials[trial_id]["status"]
                self.altered.append(f"{life}: trial {trial_id} was {end} and is {now}")
        for key, row in self.erased.items():
            again = disk.rows.get(key)
            if key[0] != "reports" or again is None or _on_order(row) != _on_order(again):
                continue  # decisions may come out otherwise where other trials' values are gone
            if not _same(row, again):
                self.altered.append(f"{life}: {key} was {row} and came again as {again}")
        self._expect(disk)

    def after_damage(self) -> None:
        """Expect no longer what a fault has just erased for good."""
        disk = read_disk(self.folder)
        for key in self.expected.keys() - disk.rows.keys():
            self.erased[key] = self.expected.pop(key)
        starts = disk.starts()
        self.robbed |= {t for t, last in disk.last_steps().items() if starts[t] < last}
        self._expect(disk)

    def _expect(self, disk: Disk) -> None:
        self.expected = dict(disk.rows)
        self.ends = {
            trial_id: row["status"] if row["status"] in TERMINAL else None
            for trial_id, row in disk.trials.items()
        }

    def verdict(self, steps_log: Path) -> "Verdict":
        """Judge the finished sweep.

        Args:
            steps_log: see `read_attempts`.
        """
        disk = read_disk(self.folder)
        return Verdict(
            num_trials=len(disk.trials),
            num_rows=len(disk.rows),
            num_erased=len(self.erased),
            lost=self.lost,
            altered=self.altered,
            doubled=keys_twice(self.folder),
            in_one_copy=only_in_one(self.folder),
            incomplete=self._incomplete(disk),
            retrained=self.history.excesses(read_attempts(steps_log), self.points),
        )

    def _incomplete(self, disk: Disk) -> list[str]:
        """Trials that miss a report, a decision, an end or their checkpoint, in words."""
        found = []
        known = {trial_id for _, trial_id, _ in disk.rows}
        found += [f"{trial_id} has rows and is no trial" for trial_id in known - disk.trials.keys()]
        reports: dict[str, dict[int, Row]] = {}
        rungs: dict[str, set[int]] = {}
        for (table, trial_id, place), row in disk.rows.items():
            if table == "reports":
                reports.setdefault(trial_id, {})[place] = row
            else:
                rungs.setdefault(trial_id, set()).add(place)
        for trial_id, trial in disk.trials.items():
            problem = self._problem(
                trial,
                reports.get(trial_id, {}),
                rungs.get(trial_id, set()),
                disk.checkpoints.get(trial_id, []),
            )
            if problem:
                found.append(f"{trial_id} ({trial['status']}) {problem}")
        return found

    def _problem(
        self,
        trial: Row,
        reports: dict[int, Row],
        rungs: set[int],
        checkpoints: list[tuple[int, bool]],
    ) -> str | None:
        steps = sorted(reports)
        finite = [step for step in steps if not _on_order(reports[step])]
        judged = {rung for rung, step in enumerate(self.rungs) if step in finite}
        if trial["status"] not in TERMINAL:
            return "has not ended"
        if (trial["step"] or 0) != (steps[-1] if steps else 0):
            return f"says step {trial['step']} and has reports at {steps}"
        if tuple(finite) != self.points[: len(finite)] or len(steps) > len(finite) + 1:
            return f"has reports at {steps}"
        if (trial["status"] == "completed") != (finite[-1:] == [self.points[-1]]):
            return f"has reports at {steps}"
        if (trial["status"] == "diverged") != (steps != finite):
            return f"has finite losses at {finite} of {steps}"
        if rungs != judged - {len(self.rungs) - 1}:
            return f"has reports at {steps} and decisions at rungs {sorted(rungs)}"
        ended_by_report = trial["status"] in ("completed", "diverged")
        if trial["trial_id"] in self.robbed and not ended_by_report:
            return None  # it ended before it had come to its last report again
        if checkpoints != ([(steps[-1], True)] if steps else []):
            return f"has reports at {steps} and checkpoints {checkpoints}"
        return None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it."""

    num_trials: int
    num_rows: int
    num_erased: int
    lost: list[str]
    altered: list[str]
    doubled: int
    in_one_copy: int
    """Rows that are in only one of journal and Parquet."""
    incomplete: list[str]
    retrained: list[str]

    @property
    def findings(self) -> list[str]:
        """What is wrong, in words."""
        return [*self.lost, *self.altered, *self.incomplete, *self.retrained]

    @property
    def good(self) -> bool:
        """Whether the sweep is whole."""
        return not (self.findings or self.doubled or self.in_one_copy)


def _on_order(report: Row) -> bool:
    """Whether a trial diverged here: because it was told to, and it is not told again."""
    return not math.isfinite(report["val_loss"])


def _same(first: Row, second: Row) -> bool:
    for name, value in first.items():
        other = second.get(name)
        both_nan = all(isinstance(x, float) and math.isnan(x) for x in (value, other))
        if name not in OF_MACHINE | {"time"} and value != other and not both_nan:
            return False
    return True
