"""What is told of sweeps and trials: answers from views, in plain JSON types."""

import base64
import binascii
import collections
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from picosweep.service.queue.submissions import Submission
from picosweep.service.shapes import CurveShape, PointShape, SweepSummary, Trials
from picosweep.service.sweep_view import SweepView, Views
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.journal import journal_position
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.store.mailbox import ask_for
from picosweep.sweeps.store.reader import read_rows, sweep_folders
from picosweep.sweeps.store.tables import Row

MOST_ROWS: Final = 500
MOST_CURVES: Final = 100
MOST_POINTS: Final = 400
MOST_POINTS_OF_FRONT: Final = 2000
LOG_BYTES: Final = 64 * 1024
WAITING: Final = "waiting"
"""What a trial does that has begun, or was chosen, while no driver runs its sweep."""
MOST_SAMPLES: Final = 50


class NoSuchError(LookupError):
    """There is no such sweep or trial."""


class Sweeps:
    """The sweeps of a results folder.

    Args:
        results: the folder.
        views: views of its sweeps.
    """

    def __init__(self, results: Path, views: Views) -> None:
        self.results, self._views = results, views
        self._summaries: dict[str, tuple[object, SweepSummary]] = {}

    def view(self, sweep: str) -> SweepView:
        """Return the view of a sweep.

        Raises:
            NoSuchError: there is none of that name.
        """
        found = self._views.of(sweep)
        if found is None:
            raise NoSuchError(f"no such sweep: {sweep}")
        return found

    def summaries(self, submissions: Sequence[Submission]) -> list[SweepSummary]:
        """Return how far each sweep is, the one that was begun last first."""
        found = [self.summary(one.name, submissions) for one in sweep_folders(self.results)]
        return sorted(found, key=lambda one: -(one.started_at or 0.0))

    def summary(self, sweep: str, submissions: Sequence[Submission]) -> SweepSummary:
        """Return how far a sweep is; one that has not changed is not read again."""
        files = SweepFolder(self.results / sweep)
        own = [one.id for one in submissions if one.sweep == sweep][-1:]
        driver = running_driver(files.path)
        state = journal_position(files.journal), driver, files.report.is_file(), own
        known = self._summaries.get(sweep)
        if known is None or known[0] != state or not files.is_sweep:
            known = (state, self._summary(sweep, driver, own))
            self._summaries[sweep] = known
        return known[1]

    def _summary(self, sweep: str, driver: str | None, own: Sequence[str]) -> SweepSummary:
        view = self.view(sweep)
        rows = list(view.trials.values())
        counts = collections.Counter(str(row["status"]) for row in rows)
        if driver is None and counts.get("running"):
            counts[WAITING] = counts.pop("running")
        starts = [row["start_time"] for row in rows if row.get("start_time")]
        return SweepSummary(
            sweep=sweep,
            driver=driver,
            counts=dict(counts),
            num_trials=len(rows),
            tokens=sum(int(row["tokens"] or 0) for row in rows if row["status"] != "cached"),
            started_at=min(starts) / 1e6 if starts else None,
            winners=[plain(row) for row in view.winners()],
            has_report=SweepFolder(view.folder).report.is_file(),
            position=view.position,
            submission=own[-1] if own else None,
        )

    def trials(
        self,
        sweep: str,
        *,
        wanted: Mapping[str, str],
        sort: str,
        down: bool,
        after: str,
        limit: int,
    ) -> Trials:
        """Return a page of a sweep's trials.

        Raises:
            InputError: `after` did not come from here.
        """
        view = self.view(sweep)
        is_running = running_driver(view.folder) is not None
        if wanted.get("status") == WAITING and not is_running:
            wanted = {**wanted, "status": "running"}
        rows: list[Row] = []
        keys: list[tuple[float, str]] = []
        for key, row in view.rows(wanted=wanted, after=_key(after), sort=sort, down=down):
            if len(rows) == limit:
                return Trials(rows=rows, next=_cursor(keys[-1]), position=view.position)
            rows.append(_as_now(plain(row), is_running=is_running))
            keys.append(key)
        return Trials(rows=rows, next=None, position=view.position)

    def trial(self, sweep: str, trial_id: str) -> Row:
        """Return a trial's row.

        Raises:
            NoSuchError: the sweep has none of that id.
        """
        row = self.view(sweep).trials.get(trial_id)
        if row is None:
            raise NoSuchError(f"no such trial: {trial_id}")
        driver = running_driver(self.view(sweep).folder)
        return _as_now(plain(row), is_running=driver is not None)

    def curves(self, sweep: str, trials: Sequence[str], best: int) -> list[CurveShape]:
        """Return the curves of some trials, or of the best ones of each architecture."""
        view = self.view(sweep)
        ids = [one for one in trials if one in view.curves][:MOST_CURVES]
        return [self._curve(view, one) for one in ids or self._best(view, best)]

    def _best(self, view: SweepView, best: int) -> list[str]:
        ranking = view.ranking()
        seen: collections.Counter[str] = collections.Counter()
        chosen = []
        rows = sorted(
            view.trials.values(), key=lambda r: (r["status"] != "running", ranking.key(r))
        )
        for row in rows:
            if row["trial_id"] in view.curves and seen[row["architecture"]] < best:
                seen[row["architecture"]] += 1
                chosen.append(row["trial_id"])
        return chosen[:MOST_CURVES]

    def front(self, sweep: str) -> list[PointShape]:
        """Return trials at the highest rung by size and loss, and which of them are on the front.

        The loss is the sweep's first objective, turned so that less is better.
        """
        view = self.view(sweep)
        ranking = view.ranking()
        rows = [row for row in view.trials.values() if row.get("rung") is not None]
        highest = max((row["rung"] for row in rows), default=0)
        at_end = [
            (row, key)
            for row in rows
            if row["rung"] == highest and math.isfinite(key := ranking.key(row))
        ]
        best, found = math.inf, []
        for row, key in sorted(at_end, key=lambda pair: (pair[0]["num_params"], pair[1])):
            found.append(
                PointShape(
                    trial_id=row["trial_id"],
                    architecture=row["architecture"],
                    num_params=row["num_params"],
                    loss=key,
                    on_front=key < best,
                )
            )
            best = min(best, key)
        return found[:MOST_POINTS_OF_FRONT]

    def _curve(self, view: SweepView, trial_id: str) -> CurveShape:
        curve, row = view.curves[trial_id], view.trials[trial_id]
        stride = -(-len(curve.steps) // MOST_POINTS)
        return CurveShape(
            trial_id=trial_id,
            architecture=row["architecture"],
            status=row["status"],
            steps=list(curve.steps[::stride]),
            losses=[x if math.isfinite(x) else None for x in curve.losses[::stride]],
        )

    def decisions(self, sweep: str) -> list[Row]:
        """Return the last decisions of early stopping, the newest first."""
        return [plain(row) for row in reversed(self.view(sweep).decisions)]

    def incidents(self, sweep: str) -> list[Row]:
        """Return the last incidents, the newest first."""
        return [plain(row) for row in reversed(self.view(sweep).incidents)]

    def samples(self, sweep: str, trial_id: str) -> list[Row]:
        """Return what a trial wrote, the last step first."""
        rows = read_rows(self.view(sweep).folder, "samples")
        own = (plain(row) for row in rows if row["trial_id"] == trial_id)
        return sorted(own, key=lambda row: -row["step"])[:MOST_SAMPLES]

    def log(self, sweep: str) -> str:
        """Return the end of the last driver's log; empty where there is none."""
        paths = sorted(SweepFolder(self.view(sweep).folder).logs.glob("*.log"))
        if not paths:
            return ""
        with paths[-1].open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
        return "".join(lines[1:] if size > LOG_BYTES else lines)

    def stop_trial(self, sweep: str, trial_id: str) -> None:
        """Let a trial end at its next report.

        Raises:
            InputError: it does not run, or the sweep does not.
            NoSuchError: there is no such trial.
        """
        row = self.trial(sweep, trial_id)
        folder = self.view(sweep).folder
        if running_driver(folder) is None:
            raise input_error("this sweep is not running", found=sweep)
        if row["status"] != "running":
            raise input_error("this trial has ended", key=trial_id, found=str(row["status"]))
        ask_for(folder, trial_id)


def plain(row: Row) -> Row:
    """Return a row in JSON types: what is no finite number is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _as_now(row: Row, *, is_running: bool) -> Row:
    if row["status"] == "running" and not is_running:
        return {**row, "status": WAITING}
    return row


def _cursor(key: tuple[float, str]) -> str:
    number, trial_id = key
    text = json.dumps([None if math.isinf(number) else number, trial_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _key(after: str) -> tuple[float, str] | None:
    if not after:
        return None
    try:
        number, trial_id = json.loads(base64.urlsafe_b64decode(after.encode()))
        return (math.inf if number is None else float(number)), str(trial_id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise input_error(
            "not an `after` that came from here", key="after", found=after[:40]
        ) from error
