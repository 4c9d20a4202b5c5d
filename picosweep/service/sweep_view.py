"""One sweep as the service sees it: its journal, read on from where it was read to.

A journal is only appended to, so its position names a state of the sweep. A view keeps rows of
trials, a compact curve of each, and the last decisions; a million reports take some thirty
megabytes.
"""

import threading
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.journal import read_from
from picosweep.sweeps.store.tables import FROM_REPORT, Row, repaired, whole_row

LAST_DECISIONS: Final = 200
LAST_INCIDENTS: Final = 50
LAST_CHANGES: Final = 1000
"""A watcher that was away for longer than these loads anew."""
NOT_SHOWN: Final = frozenset({"config"})


@dataclass
class Curve:
    """Steps and losses of a trial's reports."""

    steps: "array[float]" = field(default_factory=lambda: array("d"))
    losses: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one transaction of the journal brought."""

    position: str
    """Where the journal stands after it."""
    table: str
    row: Row


class SweepView:
    """What is known of one sweep; safe to use from several threads.

    Args:
        folder: the sweep's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials: dict[str, Row] = {}
        self.curves: dict[str, Curve] = {}
        self.decisions: deque[Row] = deque(maxlen=LAST_DECISIONS)
        self.incidents: deque[Row] = deque(maxlen=LAST_INCIDENTS)
        self._recent: deque[Change] = deque(maxlen=LAST_CHANGES)
        self._place = (0, 0)
        self._guard = threading.RLock()

    @property
    def position(self) -> str:
        """Where in the journal this view stands: it names what is shown."""
        return f"{self._place[0]}.{self._place[1]}"

    def read_on(self) -> None:
        """Read what has been written since."""
        with self._guard:
            for place, entries in read_from(SweepFolder(self.folder).journal, self._place):
                self._place = place
                for table, stored in entries:
                    row = whole_row(stored)
                    self._take(table, row)
                    self._recent.append(Change(position=self.position, table=table, row=row))

    def changes_since(self, position: str) -> list[Change] | None:
        """Return what was read after a position, None where that is not known any more."""
        with self._guard:
            if position == self.position:
                return []
            changes = list(self._recent)
        last = max((n for n, one in enumerate(changes) if one.position == position), default=None)
        return None if last is None else changes[last + 1 :]

    def _take(self, table: str, row: Row) -> None:
        if table == "trials":
            row = repaired(row)
            self.trials[row["trial_id"]] = {k: v for k, v in row.items() if k not in NOT_SHOWN}
        elif table == "reports":
            self._update_trial(row)
            curve = self.curves.setdefault(row["trial_id"], Curve())
            curve.steps.append(row["step"])
            loss = row["val_loss"]
            curve.losses.append(float("nan") if loss is None else loss)
        elif table == "decisions":
            self.decisions.append(row)
        elif table == "incidents":
            self.incidents.append(row)

    def _update_trial(self, report: Row) -> None:
        """Bring a trial's row up to a report: the driver writes it anew only at its end."""
        trial = self.trials.get(report["trial_id"])
        if trial is not None and report["step"] > (trial.get("step") or 0):
            trial |= {name: report.get(name) for name in FROM_REPORT}
            if report["rung"] is not None:
                trial["rung"] = report["rung"]

    def ranking(self) -> Ranking:
        """Return the order of its trials."""
        return Ranking.of_stored(read_json(SweepFolder(self.folder).spec))

    def winners(self) -> list[Row]:
        """Return the best trial of each architecture, the best first."""
        with self._guard:
            best: dict[str, Row] = {}
            ranking = self.ranking()
            for row in self.trials.values():
                if row.get("rung") is None or row.get("current") is False:
                    continue
                known = best.get(row["architecture"])
                if known is None or _better(row, known, ranking):
                    best[row["architecture"]] = row
            return sorted(best.values(), key=ranking.key)

    def rows(
        self, *, wanted: Mapping[str, str], after: tuple[float, str] | None, sort: str, down: bool
    ) -> Iterator[tuple[tuple[float, str], Row]]:
        """Yield trials in an order, each with the key from which a next page goes on.

        Args:
            wanted: values that columns must have, as text.
            after: key of the last row of the page before; None for the first page.
            sort: column of numbers or times; rows without one come last.
            down: whether the largest come first.
        """
        with self._guard:
            rows = list(self.trials.values())
        sign = -1.0 if down else 1.0
        keyed = [((_number(row.get(sort), sign), str(row["trial_id"])), row) for row in rows]
        keyed.sort(key=lambda pair: pair[0])
        for key, row in keyed:
            if after is not None and key <= after:
                continue
            if all(str(row.get(name)) == value for name, value in wanted.items()):
                yield key, row


def _better(row: Row, known: Row, ranking: Ranking) -> bool:
    return (-row["rung"], ranking.key(row)) < (-known["rung"], ranking.key(known))


def _number(value: Any, sign: float) -> float:
    number = value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124
    return float("inf") if number is None else sign * float(number)


class Views:
    """Views of the sweeps that were looked at last.

    Args:
        results: folder in which sweeps land.
        most: how many views are kept.
    """

    def __init__(self, results: Path, most: int = 32) -> None:
        self._results, self._most = results, most
        self._views: dict[str, SweepView] = {}
        self._guard = threading.Lock()

    def of(self, sweep: str) -> SweepView | None:
        """Return the view of a sweep, read up to now; None where there is no such sweep."""
        folder = self._results / sweep
        with self._guard:
            view = self._views.pop(sweep, None)
            if not SweepFolder(folder).is_sweep:
                return None
            view = view or SweepView(folder)
            self._views[sweep] = view
            while len(self._views) > self._most:
                del self._views[next(iter(self._views))]
        view.read_on()
        return view
