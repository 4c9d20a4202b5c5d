"""What one call of `picosweep.run` returns."""

import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.tables import short_id

Status = Literal["completed", "limited", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True, repr=False)
class SweepResult:
    """Result of a sweep after one call of `picosweep.run`."""

    folder: Path
    report: Path | None
    """Path of the report, None where it could not be written."""
    status: Status
    """`limited`: a limit of the spec ended it before all trials were done; `failed`: more trials
    failed than the spec allows, or all; `interrupted`: by the user."""
    reason: str
    """Why it is not completed."""
    advice: str
    """How it goes on where it is not completed."""
    wall_seconds: float
    """Time from the start of the command."""
    busy_seconds: float
    """Time in training and evaluation, over all slots."""
    slots: int
    """Trials that could run at once; 0 where Ray was not started."""
    new_tokens: int
    trials: list[dict[str, Any]]
    """The rows of the `trials` table."""
    settings: dict[str, tuple[str, ...]]
    """The searched hyperparameters of each architecture."""
    ranking: Ranking
    """Order of trials under the first objective."""
    remarks: list[str]
    """What the user should know of how the search went."""

    def __repr__(self) -> str:
        """Return what a notebook shows of it in a few lines, and not its rows."""
        why = f" ({self.reason})" if self.reason else ""
        lines = [
            f"sweep {self.folder.name}: {self.status}{why}, {len(self.trials)} trials, "
            f"{self.new_tokens:,} new tokens in {self.wall_seconds:.0f} s"
        ]
        for winner in self.ranking.winners(self.trials):
            row = winner.row
            lines.append(
                f"  {row['architecture']}: {self.ranking.metric} {winner.value:.4f}, "
                f"trial {short_id(row['trial_id'])}"
            )
        lines.append(f"  folder {self.folder}")
        if self.report is not None:
            lines.append(f"  report {self.report}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the same for a notebook, with a link to the report."""
        lines = escape(repr(self)).replace("\n", "<br>")
        if self.report is None:
            return f"<p>{lines}</p>"
        address = escape(self.report.absolute().as_uri(), quote=True)
        return f'<p>{lines} (<a href="{address}" target="_blank">open</a>)</p>'

    @property
    def busy_share(self) -> float | None:
        """Time in training and evaluation over wall time × slots; None where nothing ran."""
        if not self.slots:
            return None
        return self.busy_seconds / (self.wall_seconds * self.slots)

    def session(self) -> dict[str, Any]:
        """Return what is kept of this call in `sessions.json`."""
        return {
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "status": self.status,
            "reason": self.reason,
            "wall_seconds": self.wall_seconds,
            "busy_seconds": self.busy_seconds,
            "busy_share": self.busy_share,
            "slots": self.slots,
            "new_tokens": self.new_tokens,
        }
