"""The command line before any command runs."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from picosweep.cli import command_line


def test_a_users_module_is_found_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed command does not look there by itself; what is installed still comes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["picosweep", "--help"])
    command_line()
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "a/b"), "error: a/b: Permission denied"),
        (OSError(36, "File name too long", b"x"), "error: x: File name too long"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever command comes upon it."""

    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr("picosweep.cli.app", fail)
    assert command_line() == (2, False)
    assert capsys.readouterr().err.strip() == told


def test_a_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another terminal may have removed the current one."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert command_line() == (2, False)
    assert "the current folder no longer exists" in capsys.readouterr().err


def test_the_version_is_that_of_the_installed_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and nothing else is loaded or run."""
    monkeypatch.setattr(sys, "argv", ["picosweep", "--version"])
    assert command_line() == (0, False)
    assert capsys.readouterr().out == f"picosweep {version('picosweep')}\n"
