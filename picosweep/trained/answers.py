"""What trained trials answered to a command: rows as a sweep's tables hold them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from picosweep.analysis.asked.frames import FACTS, Asked
from picosweep.sweeps.store.tables import Row
from picosweep.trained.stored import StoredTrial


@dataclass(kw_only=True)
class Answered:
    """The answers of one trial or several."""

    trials: list[Row] = field(default_factory=list)
    """What is known of each, in the order in which they were asked."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """By table, as `run` would store them: see the reference of the result tables."""
    remarks: list[str] = field(default_factory=list)
    """What the reader should know, in sentences."""

    def add(self, trial: StoredTrial, answers: Iterable[tuple[str, Row]]) -> None:
        """Add what a trial answered, table by table."""
        place = {"trial_id": trial.trial_id, "rung": trial.row["rung"], "step": trial.step}
        self.trials.append({name: trial.row.get(name) for name in FACTS} | {"step": trial.step})
        if trial.remark:
            self.remarks.append(trial.remark)
        for table, row in answers:
            self.rows.setdefault(table, []).append(place | row)

    @property
    def asked(self) -> Asked:
        """The same as frames, for the report's figures."""
        return Asked.of_rows(self.trials, self.rows)


def stored_trials(trial_ids: Sequence[str], results: str | Path) -> list[StoredTrial]:
    """Return trials, each once.

    Raises:
        InputError: there is no such trial, or one has no checkpoint.
    """
    found = [StoredTrial(trial_id, results) for trial_id in trial_ids]
    return list({trial.trial_id: trial for trial in found}.values())
