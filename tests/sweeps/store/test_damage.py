"""A sweep's folder after a power cut, a flipped bit or a full disk."""

import errno
import json
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store import journal as journal_module
from picosweep.sweeps.store.checkpoints import read_checkpoint, save_checkpoint
from picosweep.sweeps.store.journal import Journal
from picosweep.sweeps.store.reader import find_elsewhere, read_rows
from picosweep.sweeps.store.store import Store
from tests.sweeps.simulation import Simulation

Simulate = Callable[..., Simulation]


def _finish(simulate: Simulate, folder: Path) -> Simulation:
    simulation = simulate(folder)
    assert simulation.run()
    simulation.store.seal()
    simulation.kill()
    return simulation


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_rows_lost_from_the_journal_come_back_from_parquet(
    simulate: Simulate, tmp_path: Path, share: float
) -> None:
    """Wherever the journal was cut, what had been sealed is known, and nothing is trained."""
    first = _finish(simulate, tmp_path)
    folder = first.store.folder
    before = {name: read_rows(folder, name) for name in ("trials", "reports", "decisions")}
    segment = folder / "journal/000000.jsonl"
    os.truncate(segment, int(segment.stat().st_size * share))
    again = simulate(tmp_path)
    assert again.coordinator.finished
    assert any("back from Parquet" in repair for repair in again.store.repairs)
    again.store.seal()
    again.kill()
    for name, rows in before.items():
        keys = [str(sorted(row.items(), key=str)) for row in rows]
        assert sorted(str(sorted(row.items(), key=str)) for row in read_rows(folder, name)) == (
            sorted(keys)
        )
    assert not simulate(tmp_path).store.repairs


def test_a_line_that_the_disk_took_in_part_does_not_damage_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short write is a full disk: the commit is refused, the journal stays whole."""

    class Nearly:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, line: bytes) -> int:
            return int(self._file.write(line[:10]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    journal = Journal(tmp_path)
    journal.append(("reports", {"step": 1}))
    whole = journal._file
    journal._file = Nearly(whole)  # type: ignore[assignment]
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        journal.append(("reports", {"step": 2}))
    journal._file = whole
    journal.append(("reports", {"step": 3}))
    journal.close()
    reopened = Journal(tmp_path)
    rows = [row["step"] for t in reopened.read() for _, row in t.entries]
    assert (rows, reopened.damaged_lines) == ([1, 3], 0)


@pytest.mark.parametrize("seed", range(8))
def test_any_flipped_byte_of_a_part_is_noticed(
    simulate: Simulate, tmp_path: Path, seed: int
) -> None:
    """A part is made again when a single byte differs, in a page or in the footer."""
    folder = _finish(simulate, tmp_path).store.folder
    part = folder / "reports/part-000000.parquet"
    whole = bytearray(part.read_bytes())
    flipped = whole.copy()
    flipped[random.Random(seed).randrange(len(whole))] ^= 0x10
    part.write_bytes(flipped)
    assert len(read_rows(folder, "reports")) > 50  # from the journal
    again = simulate(tmp_path)
    assert again.store.repairs == ["a damaged part of reports is made again from the journal"]
    again.store.seal()
    assert part.read_bytes() == whole


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    """A flipped bit in the weights is not trained on."""
    save_checkpoint(tmp_path, "a", 4, b"older")
    save_checkpoint(tmp_path, "a", 8, b"newer")
    (path,) = (tmp_path / "checkpoints/a").glob("8-*")
    found = read_checkpoint(tmp_path, "a")
    assert found is not None
    assert (found.step, found.content) == (8, b"newer")
    path.write_bytes(b"newfr")
    found = read_checkpoint(tmp_path, "a")
    assert found is not None
    assert (found.step, found.content) == (4, b"older")


def _store_with_two_reports(folder: Path) -> Store:
    store = Store(folder, ())
    for step in (4, 8):
        store.save_checkpoint("a", step, b"%d" % step)
        store.commit(("reports", {"trial_id": "a", "step": step}))
        store.keep_checkpoint("a", step, alone=False)
    return store


def test_the_older_checkpoint_stays_until_the_report_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may take back a report that was not synced; its trial goes on all the same."""
    monkeypatch.setattr(journal_module, "FSYNC_SECONDS", 1e9)
    store = _store_with_two_reports(tmp_path)
    assert len(list((tmp_path / "checkpoints/a").iterdir())) == 2
    store.close()
    assert len(list((tmp_path / "checkpoints/a").iterdir())) == 1


def test_the_next_checkpoint_outlives_the_end_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written before its report, and that report's sync drops what was superseded."""
    monkeypatch.setattr(journal_module, "FSYNC_SECONDS", 1e9)
    store = _store_with_two_reports(tmp_path)
    monkeypatch.setattr(journal_module, "FSYNC_SECONDS", 0.0)
    store.save_checkpoint("a", 12, b"12")
    store.commit(("reports", {"trial_id": "a", "step": 12}))
    assert store.load_checkpoint("a") == b"12"
    store.keep_checkpoint("a", 12, alone=False)
    store.close()
    (last,) = (tmp_path / "checkpoints/a").iterdir()
    assert last.name.startswith("12-")


def test_a_step_trained_again_has_one_checkpoint(tmp_path: Path) -> None:
    """Its clock shows another time, so its checksum is another one, too."""
    for content in (b"first", b"again"):
        save_checkpoint(tmp_path, "a", 4, content)
    (kept,) = (tmp_path / "checkpoints/a").iterdir()
    assert kept.read_bytes() == b"again"


def test_an_ended_trial_keeps_the_checkpoint_of_its_last_report_alone(tmp_path: Path) -> None:
    """One that damage to the journal has put ahead of its reports would be taken for its end."""
    store = Store(tmp_path, ())
    for step in (4, 8, 12):
        store.save_checkpoint("a", step, b"%d" % step)
    store.keep_checkpoint("a", 8, alone=True)
    store.close()
    (kept,) = (tmp_path / "checkpoints/a").iterdir()
    assert kept.name.startswith("8-")


def test_a_row_older_than_its_reports_is_brought_up_to_date(
    simulate: Simulate, tmp_path: Path
) -> None:
    """The journal is lost, and the table of trials was sealed before that of reports."""
    first = simulate(tmp_path)
    first.run(events=40)
    first.store.seal()
    older = (first.store.folder / "trials/part-000000.parquet").read_bytes()
    first.run()
    first.store.seal()
    first.kill()
    folder = first.store.folder
    ended = {row["trial_id"]: row for row in read_rows(folder, "trials")}
    (folder / "trials/part-000000.parquet").write_bytes(older)
    noted = json.loads((folder / ".parts.json").read_text())
    noted["parts"]["trials/part-000000.parquet"] = [zlib.crc32(older)]
    (folder / ".parts.json").write_text(json.dumps(noted))
    (folder / "journal/000000.jsonl").unlink()
    again = simulate(tmp_path)
    assert any(row["status"] == "running" for row in pl.read_parquet(older).to_dicts())
    for trial_id, row in again.store.trials.items():
        for name in ("status", "step", "rung", "val_loss", "best_val_loss", "tokens"):
            assert row[name] == ended[trial_id][name], name


def test_what_a_killed_driver_left_over_goes(tmp_path: Path) -> None:
    """The next driver deletes superseded checkpoints, unless the newer one is damaged."""
    store = Store(tmp_path, ())
    for trial_id in ("whole", "damaged"):
        for step in (4, 8):
            store.save_checkpoint(trial_id, step, b"%d" % step)
            store.commit(("reports", {"trial_id": trial_id, "step": step}))
    store.close()
    (newer,) = (tmp_path / "checkpoints/damaged").glob("8-*")
    newer.write_bytes(b"?")
    Store(tmp_path, ()).close()
    (kept,) = (tmp_path / "checkpoints/whole").iterdir()
    assert kept.name.startswith("8-")
    assert len(list((tmp_path / "checkpoints/damaged").iterdir())) == 2


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    """Also where no table was ever sealed."""
    journal = Journal(tmp_path / "journal")
    journal.append(("format", {"table_version": 0}))
    journal.close()
    for _ in range(2):  # and the lock is free again
        with pytest.raises(InputError, match="another version"):
            Store(tmp_path, ())


def test_a_sweep_that_was_never_sealed_answers_others(simulate: Simulate, tmp_path: Path) -> None:
    """What a killed driver had not brought to Parquet yet is not trained again elsewhere."""
    first = simulate(tmp_path)
    first.run(events=60)
    first.kill()
    assert not (first.store.folder / "trials").exists()
    ended = {t for t, row in first.store.trials.items() if row["status"] != "running"}
    assert ended
    assert set(find_elsewhere(tmp_path, "other")) == ended
    rows = read_rows(first.store.folder, "reports")
    assert pl.DataFrame(rows)["time"].dtype == pl.Datetime("us", "UTC")


def test_debris_of_a_killed_process_is_cleared(tmp_path: Path) -> None:
    """Half-written files do not pile up."""
    (tmp_path / "trials").mkdir()
    debris = tmp_path / "trials" / ".part-000000.parquet.123.tmp"
    debris.write_bytes(b"half")
    Store(tmp_path, ()).close()
    assert not debris.exists()
