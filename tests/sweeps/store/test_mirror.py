"""A sweep's folder kept in an object store: sound at every moment, and enough to go on from."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.checkpoints import drop_others, read_checkpoint, save_checkpoint
from picosweep.sweeps.store.journal import Journal
from picosweep.sweeps.store.mirror import MARK, Mirror, local_results, open_mirror, refresh


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local folders of mirrored results land in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=["file", "s3"])
def address(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty results path in a store: a folder behind the same interface, or moto's S3."""
    if request.param == "file":
        yield f"file://{tmp_path}/store"
        return
    server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        url = f"http://{host}:{port}"
        bucket = f"ours-{tmp_path.stat().st_ino}"  # what moto keeps outlives its server
        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=bucket)
        yield f"s3://{bucket}/sweeps?region=us-east-1&scheme=http&endpoint_override={host}:{port}"
    finally:
        running.stop()


def _sweep(results: Path) -> Path:
    """A folder with a journal, a table and two trials' checkpoints."""
    folder = results / "small"
    journal = Journal(folder / "journal")
    journal.append(("reports", {"trial_id": "a", "step": 1}))
    journal.close()
    (folder / "trials").mkdir()
    (folder / "trials/part-000000.parquet").write_bytes(b"a table")
    for trial in ("a", "b"):
        save_checkpoint(folder, trial, 1, trial.encode())
    return folder


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_another_machine_goes_on_from_the_mirror(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All that matters comes back, byte for byte; locks and requests do not."""
    folder = _sweep(local_results(Path(address)))
    (folder / ".lock").write_text("process 1")
    with open_mirror(folder) as mirror:
        assert isinstance(mirror, Mirror)
    expected = _content(folder)
    del expected[".lock"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    results = local_results(Path(address))
    assert results != folder.parent
    with open_mirror(results / "small"):
        assert _content(results / "small") == expected
    again = open_mirror(results / "small")
    assert again is not None
    assert again.pull() == 0


def test_a_checkpoint_is_never_missing_between_rounds(address: str) -> None:
    """After each round the mirror has one for every trial; replaced ones go."""
    folder = _sweep(local_results(Path(address)))
    mirror = open_mirror(folder)
    assert mirror is not None
    mirror.push()
    save_checkpoint(folder, "a", 2, b"a later")
    drop_others(folder, "a", 2, later=False)
    mirror.push()
    copy = folder.parent / "copy"
    (folder.parent / MARK).write_text(address)
    folder.rename(copy)
    refresh(folder.parent)
    found = read_checkpoint(folder, "a")
    assert found is not None
    assert (found.step, found.content) == (2, b"a later")
    assert read_checkpoint(folder, "b") is not None
    assert _content(folder) == _content(copy)


def test_a_checkpoint_that_is_replaced_during_a_round_keeps_the_older_one(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted in a round in which something was gone before it could be sent."""
    folder = _sweep(local_results(Path(address)))
    mirror = open_mirror(folder)
    assert mirror is not None
    mirror.push()
    save_checkpoint(folder, "a", 2, b"a later")
    drop_others(folder, "a", 2, later=False)
    listed = mirror._local_files()
    monkeypatch.setattr(mirror, "_local_files", lambda: listed)
    save_checkpoint(folder, "a", 3, b"a latest")
    drop_others(folder, "a", 3, later=False)
    mirror.push()
    folder.rename(folder.parent / "copy")
    refresh(folder.parent)
    found = read_checkpoint(folder, "a")
    assert found is not None
    assert found.step == 1


def test_reading_follows_what_another_machine_does(address: str) -> None:
    """A later state replaces the one that was fetched, also where a file kept its size."""
    folder = _sweep(local_results(Path(address)))
    mirror = open_mirror(folder)
    assert mirror is not None
    mirror.push()
    here = folder.rename(folder.parent / "copy")
    refresh(folder.parent)
    table = folder / "trials/part-000000.parquet"
    os.utime(table, (time.time() - 9, time.time() - 9))
    theirs = here / "trials/part-000000.parquet"
    theirs.write_bytes(b"A TABLE")
    other = Mirror(address, here)
    other._base = mirror._base
    other.push()
    refresh(folder.parent)
    assert table.read_bytes() == b"A TABLE"


def test_ordinary_results_have_no_mirror(tmp_path: Path) -> None:
    """A folder stays what it is."""
    assert local_results(tmp_path) == tmp_path
    assert local_results(Path("results")) == Path("results")
    assert open_mirror(tmp_path / "small") is None


@pytest.mark.parametrize("bad", ["ftp://host/folder", "s3://no bucket"])
def test_an_address_that_cannot_be_used_is_told(bad: str) -> None:
    """One message with what is allowed."""
    with pytest.raises(InputError, match="s3://bucket/folder"):
        local_results(Path(bad))


def test_a_store_that_takes_nothing_is_told_before_and_after(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither hours of training nor their results are lost without a word."""
    folder = _sweep(local_results(Path(address)))

    def refuse(self: Mirror, name: str, content: bytes) -> None:
        raise PermissionError("read only")

    mirror = open_mirror(folder)
    assert mirror is not None
    monkeypatch.setattr(Mirror, "_write", refuse)
    with pytest.raises(InputError, match="the same command tries again"), mirror:
        pass
    with pytest.raises(InputError, match="cannot be written: read only"):
        open_mirror(folder)
