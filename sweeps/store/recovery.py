"""Rows that a damaged journal has lost and the Parquet tables still hold.

The tables are made from the journal, so whatever they hold and it does not was lost from it: by a
file system after a power cut, by a flipped bit, by a person. Such rows go back into the journal.
"""

from collections.abc import Mapping

from picosweep.sweeps.store.journal import Entry
from picosweep.sweeps.store.parquet import Parts
from picosweep.sweeps.store.tables import FIXED_TRIAL_COLUMNS, KEYS, TERMINAL_STATUSES, Row


def lost_rows(
    parts: Parts,
    trials: Mapping[str, Row],
    rows: Mapping[str, Mapping[int, list[Row]]],
    *,
    damaged: bool,
) -> list[Entry]:
    """Return what the tables hold and the journal does not: trials first, then table by table.

    Args:
        parts: the sweep's Parquet parts.
        trials: the journal's trials by id.
        rows: the journal's rows of each other table by segment.
        damaged: whether lines of the journal could not be read, so that a count of rows says
            nothing.
    """
    lost: list[Entry] = [("trials", row) for row in _lost_trials(parts, trials)]
    for table, by_segment in rows.items():
        suspects = [
            segment
            for segment in parts.segments(table)
            if damaged or (parts.num_rows(table, segment) or 0) > len(by_segment.get(segment, ()))
        ]
        if suspects:
            lost += [(table, row) for row in _lost_from(parts, table, suspects, by_segment)]
    return lost


def _lost_trials(parts: Parts, trials: Mapping[str, Row]) -> list[Row]:
    ends = parts.rows("trials", 0, ["trial_id", "status"])  # wide rows, of which none may be lost
    lost = {row["trial_id"] for row in ends if _is_lost(row, trials.get(row["trial_id"]))}
    # A hyperparameter that the trial's architecture lacks is a null of the table alone.
    return [
        {k: v for k, v in row.items() if v is not None or k in FIXED_TRIAL_COLUMNS}
        for row in (parts.rows("trials", 0) if lost else ())
        if row["trial_id"] in lost
    ]


def _is_lost(row: Row, known: Row | None) -> bool:
    ended = row["status"] in TERMINAL_STATUSES
    return known is None or (ended and known["status"] not in TERMINAL_STATUSES)


def _lost_from(
    parts: Parts, table: str, segments: list[int], by_segment: Mapping[int, list[Row]]
) -> list[Row]:
    names = KEYS[table]
    known = {tuple(row[name] for name in names) for rows in by_segment.values() for row in rows}
    found = [row for segment in segments for row in parts.rows(table, segment)]
    return [row for row in found if tuple(row[name] for name in names) not in known]
