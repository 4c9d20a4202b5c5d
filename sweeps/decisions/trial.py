"""A trial inside a sweep: its row, and how it ended."""

import collections
import math
import random
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.store.tables import FROM_REPORT, TERMINAL_STATUSES, Row, setting_name

Outcome = Literal["completed", "stopped", "diverged", "failed"]


@dataclass(kw_only=True)
class Trial:
    """A trial that was admitted to the sweep, and its row in the `trials` table."""

    candidate: Candidate
    row: Row
    num_losses: int = 0
    """Processes lost while this driver ran it, those that were lost with their node left out."""

    @property
    def trial_id(self) -> str:
        """Its identity."""
        return self.candidate.trial_id

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be done for it."""
        return self.row["status"] in TERMINAL_STATUSES

    def take(self, metrics: Mapping[str, Any], rung: int | None) -> None:
        """Update the row from a report, which is between two rungs where `rung` is None."""
        best, value = self.row["best_val_loss"], metrics["val_loss"]
        self.row |= {name: metrics.get(name) for name in FROM_REPORT}  # older rows lack some
        if math.isfinite(value):
            self.row["best_val_loss"] = value if best is None else min(best, value)
        if rung is not None:
            self.row["rung"] = rung

    def end(self, status: str, micros: int) -> None:
        """Record in the row that nothing more is to be done.

        Args:
            status: one of `sweeps.store.tables.TERMINAL_STATUSES`.
            micros: the time, in microseconds since the epoch.
        """
        self.row |= {"status": status, "end_time": micros}

    def try_again(self) -> None:
        """Record in the row that a failed trial is to go on from where it was."""
        self.row |= {"status": "running", "error": None, "end_time": None}

    def catch_up(self, reports: Iterable[Row]) -> None:
        """Update the row from stored reports.

        They may be newer than it: the tables are sealed one after another, and where the journal
        was lost as well, a row comes back from a table that was older than the next one.
        """
        for report in reports:
            if report["step"] > (self.row["step"] or 0):
                self.take(report, report["rung"])

    @property
    def is_confirmation(self) -> bool:
        """Whether it re-runs a winner on a fresh seed."""
        return bool(self.row["cohort"] == "confirm")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A trial to be trained from its checkpoint, or from the start where it has none."""

    candidate: Candidate
    checkpoint: bytes | None
    reports: Sequence[Row] = ()
    """The trial's stored reports, in the order of training."""


def draw_cohort(ordinal: str, exempt_fraction: float) -> str:
    """Draw a trial's cohort, `exempt` or `searched`.

    Args:
        ordinal: search seed, architecture and number of the trial; the draw depends on it alone.
        exempt_fraction: share of trials that early stopping leaves alone, from 0 to 1.
    """
    lot = random.Random(zlib.crc32(f"exempt/{ordinal}".encode())).random()
    return "exempt" if lot < exempt_fraction else "searched"


def first_row(sweep: str, candidate: Candidate, cohort: str, micros: int) -> Row:
    """Return the row of a trial that has just been admitted.

    Args:
        sweep: the sweep's name.
        candidate: what is to be trained.
        cohort: one of the values of the column `cohort`.
        micros: the time, in microseconds since the epoch.
    """
    return {
        "trial_id": candidate.trial_id,
        "sweep": sweep,
        "architecture": candidate.architecture,
        "status": "running",
        "cohort": cohort,
        "seed": candidate.trial.seed,
        "num_params": candidate.facts.num_params,
        "flops_per_token": candidate.facts.flops_per_token,
        "start_time": micros,
        "num_attempts": 0,
        "current": True,
        "config": candidate.config,
        **dict.fromkeys(("rung", "best_val_loss", "end_time", *FROM_REPORT)),
        **candidate.fingerprints,
        **{
            setting_name(candidate.architecture, n): v for n, v in candidate.hyperparameters.items()
        },
    }


def is_finite(report: Mapping[str, Any]) -> bool:
    """Return whether a report's losses are finite; where not, the trial has diverged."""
    losses = (report["train_loss"], report["val_loss"])
    return all(loss is not None and math.isfinite(loss) for loss in losses)


def stored_outcome(
    trial: Trial, reports: Sequence[Row], decisions: Sequence[Row]
) -> Outcome | None:
    """Return how a stored trial ended under the spec of today, None where there is work left.

    Args:
        trial: a trial with the row that an earlier driver left.
        reports: its reports in the order of training.
        decisions: its rows of `decisions`, in any order.
    """
    status: str = trial.row["status"]
    if status == "failed":
        return "failed"
    if status == "stopped":
        return "stopped"
    if not reports:
        return None
    if not is_finite(reports[-1]):
        return "diverged"
    if any(row["action"] == "stop" for row in decisions):
        return "stopped"
    return "completed" if trial.candidate.plan.is_over(reports[-1]) else None


def failures(trials: Iterable[Trial]) -> str:
    """Return a sentence about the trials that failed: how many, and what they failed of."""
    errors = collections.Counter(t.row["error"] for t in trials if t.row["status"] == "failed")
    listed = "; ".join(f"{count} × {error}" for error, count in errors.most_common(3))
    others = errors.total() - sum(count for _, count in errors.most_common(3))
    return f"failed: {listed}" + (f"; {others} others" if others else "")
