"""The command line before any command runs."""

import sys
from pathlib import Path

import pytest

from picosweep.cli import main


def test_a_users_module_is_found_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed command does not look there by itself; what is installed still comes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["picosweep", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert sys.path[-1] == str(tmp_path)
