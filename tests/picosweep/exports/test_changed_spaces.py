"""Exports of a sweep whose space has changed since its trials were made."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from picosweep.exports.optuna_studies import export
from picosweep.exports.rows import read_sweep
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.store.folder import SweepFolder
from tests.sweeps.simulation import Simulation, spec_with


def spec(**architectures: dict[str, Any]) -> dict[str, Any]:
    return spec_with(
        architectures=architectures,
        common={"batch_size": 4},
        confirm={"top": 0},
        search={"trials_per_architecture": 2, "startup_trials": 1},
        early_stopping={"scheduler": "none"},
    )


def run(folder: Path, written: dict[str, Any]) -> None:
    simulation = Simulation(folder, written)
    assert simulation.run()
    simulation.store.seal()
    simulation.kill()
    stored = parse_spec(written).model_dump(mode="json")
    write_json(SweepFolder(folder / "simulated").spec, stored)


def studies(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The parameters of each exported study's trials."""
    out = folder / "out"
    out.mkdir()
    export(read_sweep(folder / "simulated"), out)
    url = f"sqlite:///{out / 'optuna.db'}"
    names = optuna.study.get_all_study_names(url)
    found = {name: optuna.load_study(study_name=name, storage=url).trials for name in names}
    return {name: [trial.params for trial in trials] for name, trials in found.items()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([16, 32], [32, 48]),
        ([16, 32], {"int_uniform": [33, 48]}),
        ({"int_uniform": [8, 16]}, {"int_uniform": [20, 40]}),
        ({"int_uniform": [8, 16]}, [20, 40]),
        ([16, 32], {"log_int_uniform": [40, 80]}),
        ([16, 32], 64),
    ],
)
def test_every_searched_trial_is_written(tmp_path: Path, before: Any, after: Any) -> None:
    run(tmp_path, spec(kgram={"hidden_size": before}))
    run(tmp_path, spec(kgram={"hidden_size": after}))
    rows = read_sweep(tmp_path / "simulated").trials
    (params,) = studies(tmp_path).values()
    assert sorted(one["hidden_size"] for one in params) == sorted(
        row["hidden_size"] for row in rows
    )
    assert len(params) > 2


def test_null_and_an_architecture_that_is_gone_are_written_too(tmp_path: Path) -> None:
    run(tmp_path, spec(kgram={"hidden_size": 8, "grad_clip": [None, 1.0]}, lstm={}))
    run(tmp_path, spec(kgram={"hidden_size": 8, "grad_clip": [None, 1.0]}))
    found = studies(tmp_path)
    assert {one["grad_clip"] for one in found["simulated/kgram"]} == {None, 1.0}
    assert len(found["simulated/lstm"]) == 1
