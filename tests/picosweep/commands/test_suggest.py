"""`picosweep suggest`: next steps that make a spec which can be run."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from picosweep.analysis.next_steps import Change, NextStep
from picosweep.cli import app
from picosweep.commands.suggest import changed, suggest
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"source": "stdlib", "block_size": 16},
    "budget": {"unit": "steps", "min": 4, "factor": 2, "rungs": 2, "reports_per_rung": 1},
    "search": {"trials_per_architecture": 6, "sampler": "random"},
    "confirm": {"top": 1, "seeds": 2},
    "common": {"learning_rate": {"log_uniform": [1e-3, 1e-1]}, "batch_size": 4},
    "architectures": {"one": {"model": "kgram"}, "two": {"model": "kgram"}},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with one simulated sweep and its spec."""
    coordinator, store = simulated_sweep(tmp_path, SPEC)
    SimulatedRunner(lottery()).run(coordinator, SimulatedTrial.of, lambda: None)
    store.seal()
    store.close()
    write_json(store.files.spec, SPEC | {"comparable": {}})
    return tmp_path


def test_steps_are_printed_with_their_change_and_their_cost(results: Path) -> None:
    """For people, and the same for scripts; a spec with the changes can be run."""
    found = CliRunner().invoke(app, ["suggest", "small", "--results", str(results)])
    assert found.exit_code == 0, found.output
    assert "   search.trials_per_architecture: " in found.stdout
    assert "(now 6)" in found.stdout
    assert "of busy time" in found.stdout
    assert found.stdout.endswith("trials that are known are not trained again.\n")
    plain = CliRunner().invoke(app, ["suggest", "small", "--results", str(results), "--json"])
    steps = json.loads(plain.stdout)
    assert steps[0]["changes"][0]["key"] == ["search", "trials_per_architecture"]
    more = steps[0]["changes"][0]["after"]
    again = changed(SPEC, [Change(key=("search", "trials_per_architecture"), before=6, after=more)])
    coordinator, store = simulated_sweep(results, again)
    assert coordinator.next() is not None
    store.close()


def test_what_cannot_be_changed_is_said(results: Path) -> None:
    """No such sweep, and a folder without its spec."""
    with pytest.raises(InputError, match="nothing"):
        suggest("nothing", results=results)
    (results / "small" / "spec.json").unlink()
    with pytest.raises(InputError, match=r"spec\.json is missing"):
        suggest("small", results=results)


def test_a_range_that_no_model_takes_is_left_out(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would only be refused is not suggested; what a class of today cannot tell is."""

    def wider(name: str, after: object) -> NextStep:
        change = Change(key=("architectures", "one", name), before=None, after=after)
        return NextStep(why="", changes=(change,), trials=0, tokens=0.0, seconds=0.0)

    steps = (wider("weight_decay", {"uniform": [-1.0, 0.1]}), wider("hidden_size", [8, 16]))
    monkeypatch.setattr("picosweep.commands.suggest.next_steps", lambda _: steps)
    assert suggest("small", results=results) == steps[1:]
    gone = SPEC | {"architectures": {"one": {"model": "no_such_module:Model"}}}
    write_json(results / "small" / "spec.json", gone)
    assert suggest("small", results=results) == steps
