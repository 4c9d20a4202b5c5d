"""What happened while a sweep ran, told in the report."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from picosweep.analysis.results import Results, load
from picosweep.analysis.trials.incidents import (
    MAX_ROWS,
    MEANINGS,
    figure,
    incidents_sentence,
    incidents_table,
)
from picosweep.sweeps.store.tables import INCIDENT_KINDS

ROWS = pl.DataFrame(
    {
        "time": [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in (5, 1, 3)],
        "trial_id": ["b", "a", None],
        "kind": ["lost", "stopped", "lost"],
        "text": ["killed", "by the user", "<b>killed</b>"],
    }
)


def test_every_kind_has_a_name() -> None:
    """A kind that the writer adds must not reach a reader as a code word."""
    assert MEANINGS.keys() == set(INCIDENT_KINDS)


def test_they_stand_in_their_order() -> None:
    """By time, whatever order they were read in; text is left to the page to escape."""
    table = incidents_table(ROWS)
    assert table["trial_id"].to_list() == ["a", None, "b"]
    assert table["happened"].to_list() == ["stop by hand", "dead worker", "dead worker"]
    assert table["text"][1] == "<b>killed</b>"


def test_they_are_counted() -> None:
    """Each kind with its number, irregular plurals included."""
    assert incidents_sentence(ROWS).startswith("2 dead workers and 1 stop by hand.")
    twice = pl.concat([ROWS, ROWS]).filter(kind="stopped")
    assert incidents_sentence(twice).startswith("2 stops by hand.")


def test_of_very_many_the_newest_are_shown() -> None:
    """A crash loop must not make the page a log file."""
    many = pl.concat([ROWS] * MAX_ROWS)
    assert incidents_table(many).height == MAX_ROWS
    assert incidents_table(many)["trial_id"][-1] == "b"


def test_a_quiet_sweep_has_none_of_it(results: Results, tmp_path: Path) -> None:
    """Nothing is said where nothing happened; a folder with the table is told."""
    assert figure(replace(results, incidents=ROWS.clear())) is None
    results.trials.write_parquet(_made(tmp_path / "trials") / "part-000000.parquet")
    ROWS.write_parquet(_made(tmp_path / "incidents") / "part-000000.parquet")
    found = figure(load(tmp_path))
    assert found is not None
    (panel,) = found.panels
    assert panel.table is not None
    assert panel.table.height == 3


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
