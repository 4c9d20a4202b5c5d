"""Folders that a version without the column `training_seconds` has left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import picosweep.sweeps.decisions.trial
from picosweep.analysis.results import load
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.store.tables import FROM_REPORT, TABLES
from picosweep.sweeps.workers import simulated
from tests.sweeps.simulation import Simulation, spec_with

Simulate = Callable[..., Simulation]
NEW = "training_seconds"


@contextmanager
def _older_version() -> Iterator[None]:
    """Rows and tables as they were written before."""
    measure = simulated.simulated_report

    def old_report(**known: Any) -> dict[str, Any]:
        return {name: value for name, value in measure(**known).items() if name != NEW}

    with pytest.MonkeyPatch.context() as patched:
        for table in ("trials", "reports"):
            schema = pa.schema([field for field in TABLES[table] if field.name != NEW])
            patched.setitem(TABLES, table, schema)
        whole = pa.field("milestone", pa.int64())
        place = TABLES["decisions"].get_field_index("milestone")
        patched.setitem(TABLES, "decisions", TABLES["decisions"].set(place, whole))
        old = tuple(name for name in FROM_REPORT if name != NEW)
        patched.setattr(picosweep.sweeps.decisions.trial, "FROM_REPORT", old)
        patched.setattr(simulated, "simulated_report", old_report)
        yield


def _read(folder: Path, table: str) -> pl.DataFrame:
    return pl.read_parquet(folder / table / "*.parquet")


def _leave_older(simulate: Simulate, folder: Path, **options: Any) -> Path:
    with _older_version():
        old = simulate(folder)
        old.run(**options)
        old.store.seal()
        old.kill()
    assert NEW not in _read(old.store.folder, "reports").columns
    assert NEW not in _read(old.store.folder, "trials").columns
    return old.store.folder


def test_a_sweep_of_an_older_version_goes_on(simulate: Simulate, tmp_path: Path) -> None:
    """Its rows stay, with a null; every file of a table has the columns of today."""
    folder = _leave_older(simulate, tmp_path, events=30)
    before = _read(folder, "reports")
    new = simulate(tmp_path)
    assert not new.store.repairs
    assert new.run()
    new.store.seal()
    after = _read(folder, "reports")
    assert after[: before.height].drop(NEW).equals(before)
    assert after[: before.height][NEW].null_count() == before.height
    assert after[before.height :][NEW].null_count() == 0
    assert after.height > before.height


def test_finished_tables_of_an_older_version_get_the_columns_of_today(
    simulate: Simulate, tmp_path: Path
) -> None:
    """Also those to which nothing is added: the next ones may be, and one reader takes them all."""
    folder = _leave_older(simulate, tmp_path)
    simulate(tmp_path).store.seal()
    assert NEW in _read(folder, "reports").columns
    assert _read(folder, "decisions")["milestone"].dtype == pl.Float64


def test_a_finished_sweep_of_an_older_version_answers_another(
    simulate: Simulate, tmp_path: Path
) -> None:
    """What it has trained is not trained again."""
    _leave_older(simulate, tmp_path)
    new = simulate(tmp_path, spec_with(name="other"), elsewhere=find_elsewhere(tmp_path, "other"))
    assert new.run()
    new.store.seal()
    cached = _read(tmp_path / "other", "trials").filter(status="cached")
    assert cached.height >= 8
    assert cached[NEW].null_count() == cached.height
    assert not {trial_id for trial_id, _ in new.steps_trained} & set(cached["trial_id"])


def test_an_older_folder_is_read_beside_a_newer_one(simulate: Simulate, tmp_path: Path) -> None:
    """One report of both: what the older one lacks is null."""
    old = _leave_older(simulate, tmp_path)
    new = simulate(tmp_path, spec_with(name="other", seed=50))
    new.run()
    new.store.seal()
    results = load([old, new.store.folder])
    known = results.trials.filter(pl.col(NEW).is_not_null())
    assert set(known["sweep"]) == {"other"}
    assert results.reports[NEW].null_count() == _read(old, "reports").height
