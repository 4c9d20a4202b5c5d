"""CSV: a file for each table."""

import csv
from pathlib import Path

from picosweep.exports.rows import SweepRows


def export(rows: SweepRows, folder: Path) -> None:
    """Write `trials.csv`, `reports.csv`, `decisions.csv`, times in microseconds since the epoch."""
    tables = {
        "trials": rows.trials,
        "reports": [row for found in rows.reports.values() for row in found],
        "decisions": [row for found in rows.decisions.values() for row in found],
    }
    for name, listed in tables.items():
        columns = list(dict.fromkeys(column for row in listed for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(listed)
