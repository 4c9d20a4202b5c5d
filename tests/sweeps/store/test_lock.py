"""Who holds a sweep's folder, also where the file system has no locks."""

import errno
import fcntl
from pathlib import Path
from typing import IO

import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.lock import local_process, lock_folder, running_driver


@pytest.fixture(params=["locks", "no locks"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system of either kind; the cache is on one that has locks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = fcntl.flock

    def flock(file: IO[str], how: int) -> None:
        if Path(file.name).is_relative_to(tmp_path / "sweep"):
            raise OSError(errno.ENOLCK, "No locks available")
        real(file, how)

    if request.param == "no locks":
        monkeypatch.setattr(fcntl, "flock", flock)
    return tmp_path / "sweep"


def test_one_driver_at_a_time(folder: Path) -> None:
    """A second one is refused and told who holds it; nobody is told that nobody does."""
    assert running_driver(folder) is None
    with lock_folder(folder):
        holder = running_driver(folder)
        assert holder is not None
        assert local_process(holder) is not None
        with pytest.raises(InputError, match=f"this sweep is being run by {holder}"):
            lock_folder(folder)
        with lock_folder(folder.with_name("other")):
            pass
    assert running_driver(folder) is None
    lock_folder(folder).close()


def test_the_lack_of_locks_is_told(
    folder: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no longer said that another process runs the sweep."""
    lock_folder(folder).close()
    told = "the file system has no locks" in caplog.text
    assert told == (request.node.callspec.params["folder"] == "no locks")
