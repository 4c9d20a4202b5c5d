"""What a process that trains needs of the user's own modules."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")

from picosweep.pico.models.user_code import code_hash
from picosweep.sweeps.workers.work import OwnCode

MODEL = "tests.sweeps.my_model:Bigram"


def test_code_that_changed_while_the_sweep_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts later and finds other code must not train under the old identity."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    OwnCode(search_path=(), hashes={MODEL: code_hash(MODEL)}).take_up(MODEL)
    OwnCode(search_path=(), hashes={MODEL: "other"}).take_up("kgram")
    with pytest.raises(RuntimeError, match=r"code of tests.*Bigram has changed since the sweep"):
        OwnCode(search_path=(), hashes={MODEL: "other"}).take_up(MODEL)


def test_folders_of_the_driver_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process imports by itself stays first."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [*sys.path]
    OwnCode(search_path=(str(tmp_path), *before), hashes={}).take_up("kgram")
    assert sys.path == [*before, str(tmp_path)]
