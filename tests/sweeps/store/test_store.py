"""The store: Parquet follows the journal, whatever happens to it."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import REPORTS, TABLES, TRIALS

TYPES = {"embed_size": pa.int64(), "activation": pa.string(), "dropout": pa.float64()}
DECLARED = tuple(("kgram", name, kind) for name, kind in TYPES.items())


def _fill(store: Store, trial_id: str, status: str = "completed") -> None:
    trial: dict[str, Any] = {
        "trial_id": trial_id,
        "architecture": "kgram",
        "status": status,
        "embed_size": 8,
    }
    store.commit(("trials", trial))
    store.commit(("reports", {"trial_id": trial_id, "rung": 0, "step": 4, "val_loss": 2.5}))


def test_tables_have_their_schema_even_when_empty(tmp_path: Path) -> None:
    """A reader finds every column with its type before the first row."""
    store = Store(tmp_path, DECLARED)
    store.seal()
    store.close()
    for name, schema in (("reports", REPORTS), ("decisions", TABLES["decisions"])):
        assert pq.read_table(tmp_path / name).schema.equals(schema)
    trials = pq.read_table(tmp_path / "trials").schema
    assert trials.equals(pa.schema([*TRIALS, *TYPES.items()]))


def test_sealing_again_changes_nothing_and_new_rows_arrive(tmp_path: Path) -> None:
    """Rows are in Parquet once each, however often and by however many drivers it is sealed."""
    for trial_id in ("a", "b", "c"):
        store = Store(tmp_path, DECLARED)
        _fill(store, trial_id)
        store.seal()
        store.seal()
        store.close()
    assert pl.read_parquet(tmp_path / "reports/*.parquet")["trial_id"].to_list() == ["a", "b", "c"]
    trials = pl.read_parquet(tmp_path / "trials/*.parquet")
    assert trials["trial_id"].to_list() == ["a", "b", "c"]
    assert trials["dropout"].dtype == pl.Float64


@pytest.mark.parametrize("damage", ["delete", "truncate", "garbage"])
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: str) -> None:
    """The journal is the truth: a lost or corrupt Parquet part comes back."""
    store = Store(tmp_path, DECLARED)
    _fill(store, "a")
    store.seal()
    store.close()
    part = tmp_path / "reports/part-000000.parquet"
    if damage == "delete":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:50] if damage == "truncate" else b"no parquet")
    store = Store(tmp_path, DECLARED)
    store.seal()
    store.close()
    assert pl.read_parquet(part).height == 1


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    """Two drivers on one sweep would double its rows; the message names the first."""
    store = Store(tmp_path, DECLARED)
    with pytest.raises(InputError, match=r"being run by process \d+"):
        Store(tmp_path, DECLARED)
    store.close()
    Store(tmp_path, DECLARED).close()


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    """A folder whose columns may mean something else is not written to."""
    (tmp_path / "trials").mkdir()
    pq.write_table(pa.table({"trial_id": ["a"]}), tmp_path / "trials/part-000000.parquet")
    with pytest.raises(InputError, match="another version"):
        Store(tmp_path, DECLARED)


def test_other_sweeps_are_found_without_their_failures(tmp_path: Path) -> None:
    """Only trials that came to a lasting end can answer for another sweep."""
    store = Store(tmp_path / "one", DECLARED)
    for trial_id, status in (("a", "completed"), ("b", "failed"), ("c", "running")):
        _fill(store, trial_id, status)
    store.seal()
    store.close()
    assert find_elsewhere(tmp_path, "two") == {"a": tmp_path / "one"}
    assert find_elsewhere(tmp_path, "one") == {}


def test_a_failed_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk while writing leaves the file as it was, and no debris."""
    path = tmp_path / "x"
    replace_file(path, b"old")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
