"""CSV: a file for each table."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from picosweep.exports.rows import SweepRows
from picosweep.sweeps.store.tables import Row

TIMES: Final = frozenset({"time", "start_time", "end_time"})


def export(rows: SweepRows, folder: Path) -> None:
    """Write `trials.csv`, `reports.csv`, `decisions.csv` and `samples.csv`, times in UTC."""
    tables = {
        "trials": rows.trials,
        "reports": [row for found in rows.reports.values() for row in found],
        "decisions": [row for found in rows.decisions.values() for row in found],
        "samples": [row for found in rows.samples.values() for row in found],
    }
    for name, listed in tables.items():
        columns = list(dict.fromkeys(column for row in listed for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(map(_readable, listed))


def _readable(row: Row) -> Row:
    """Return a row with its times as ISO 8601 has them, in UTC and to the microsecond."""
    return {name: _utc(value) if name in TIMES else value for name, value in row.items()}


def _utc(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()
