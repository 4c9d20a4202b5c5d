"""Other tools open what is exported for them."""

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest

from picosweep.commands.export import export
from picosweep.exports.registry import FORMATS, opening_command
from picosweep.exports.rows import read_sweep
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.atomic_write import write_json
from tests.small_sweep import picosweep
from tests.sweeps.simulation import SPEC, Simulation

Simulate = Callable[..., Simulation]


@pytest.fixture
def sweep(simulate: Simulate, tmp_path: Path) -> Path:
    """A finished sweep with every kind of end but failure."""
    simulation = simulate(tmp_path, diverging=0.6)
    assert simulation.run()
    write_json(simulation.store.files.spec, SPEC)
    simulation.kill()
    return simulation.store.folder


def test_optuna(sweep: Path, tmp_path: Path) -> None:
    """Optuna reads a study for each architecture, with states and values on the way told true."""
    target = export("simulated", to="optuna", results=tmp_path)
    storage = optuna.storages.RDBStorage(f"sqlite:///{target / 'optuna.db'}")
    rows = read_sweep(sweep)
    seen = set()
    for name in ("kgram", "lstm"):
        study = optuna.load_study(study_name=f"simulated/{name}", storage=storage)
        assert len(study.trials) == 9
        assert study.metric_names == ["val_loss"]
        for trial in study.trials:
            row = next(r for r in rows.trials if r["trial_id"] == trial.user_attrs["trial_id"])
            seen.add((row["status"], trial.state.name))
            assert trial.params["learning_rate"] == row["learning_rate"]
            if trial.state == optuna.trial.TrialState.COMPLETE:
                assert trial.value == row["val_loss"]
            at_rungs = {
                r["rung"]: r["val_loss"]
                for r in rows.reports[row["trial_id"]]
                if r["rung"] is not None
            }
            assert trial.intermediate_values == pytest.approx(at_rungs, nan_ok=True)
            if trial.state == optuna.trial.TrialState.PRUNED:
                assert trial.value == row["val_loss"] == at_rungs[row["rung"]]
            assert trial.datetime_start is not None
            assert trial.datetime_start.timestamp() * 1e6 == pytest.approx(row["start_time"], abs=1)
            assert trial.datetime_complete is not None
            assert trial.datetime_complete.timestamp() * 1e6 == pytest.approx(
                row["end_time"], abs=1
            )
            for told in ("architecture", "cohort", "seed", "num_params", "status"):
                assert trial.user_attrs[told] == row[told]
    storage.remove_session()
    storage.engine.dispose()
    assert seen == {("completed", "COMPLETE"), ("stopped", "PRUNED"), ("diverged", "FAIL")}


def test_fresh_seeds_are_a_study_of_their_own(simulate: Simulate, tmp_path: Path) -> None:
    """No sampler proposed them, and their scatter is worth a look."""
    changes = {"confirm": {"top": 1, "seeds": 3}}
    simulation = simulate(tmp_path, spec={**SPEC, **changes})
    assert simulation.run()
    write_json(simulation.store.files.spec, {**SPEC, **changes})
    simulation.kill()
    target = export("simulated", to="optuna", results=tmp_path)
    storage = optuna.storages.RDBStorage(f"sqlite:///{target / 'optuna.db'}")
    study = optuna.load_study(study_name="simulated/kgram/fresh seeds", storage=storage)
    rows = read_sweep(simulation.store.folder).trials
    again = [r for r in rows if r["cohort"] == "confirm" and r["architecture"] == "kgram"]
    assert {trial.user_attrs["seed"] for trial in study.trials} == {row["seed"] for row in again}
    assert len(study.trials) == 3
    storage.remove_session()
    storage.engine.dispose()


def test_csv(sweep: Path, tmp_path: Path) -> None:
    """Every row with every column, and times that a spreadsheet reads."""
    target = export("simulated", to="csv", results=tmp_path)
    rows = read_sweep(sweep)
    with (target / "trials.csv").open() as file:
        trials = list(csv.DictReader(file))
    assert [row["trial_id"] for row in trials] == [row["trial_id"] for row in rows.trials]
    started = datetime.fromisoformat(trials[0]["start_time"])
    assert started.utcoffset() == timedelta(0)
    assert round(started.timestamp() * 1e6) == rows.trials[0]["start_time"]
    with (target / "reports.csv").open() as file:
        reports = list(csv.DictReader(file))
    assert len(reports) == sum(map(len, rows.reports.values()))
    assert float(reports[0]["val_loss"]) == next(iter(rows.reports.values()))[0]["val_loss"]


def test_tensorboard(sweep: Path, tmp_path: Path) -> None:
    """TensorBoard's own reader finds every scalar."""
    target = export("simulated", to="tensorboard", results=tmp_path)
    rows = read_sweep(sweep)
    assert len(list(target.glob("*/events.out.tfevents.*"))) == len(rows.trials)
    pytest.importorskip("tensorboard", reason="picosweep[export] is not installed")
    code = (
        "import json, sys\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "events = EventAccumulator(sys.argv[1]).Reload()\n"
        "print(json.dumps([[e.step, e.value] for e in events.Scalars('val_loss')]))"
    )
    trial = rows.trials[0]
    run = target / f"{trial['architecture']}-{trial['trial_id']}"
    found = subprocess.run(
        [sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True
    )
    stored = [[r["step"], r["val_loss"]] for r in rows.reports[trial["trial_id"]]]
    for (step, value), (stored_step, loss) in zip(json.loads(found.stdout), stored, strict=True):
        assert step == stored_step
        assert math.isclose(value, loss, rel_tol=1e-6)


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow(sweep: Path, tmp_path: Path) -> None:
    """MLflow's own client finds every run, its settings and its curves."""
    pytest.importorskip("mlflow", reason="picosweep[export] is not installed")
    (sweep / "report.html").write_text("the report", encoding="utf-8")
    target = export("simulated", to="mlflow", results=tmp_path)
    code = (
        "import json, sys\n"
        "from mlflow import MlflowClient\n"
        "client = MlflowClient(tracking_uri='sqlite:///' + sys.argv[1])\n"
        "(one,) = [e for e in client.search_experiments() if e.name == 'simulated']\n"
        "runs = client.search_runs([one.experiment_id])\n"
        "(report,) = [r for r in runs if r.info.run_name == 'report']\n"
        "path = client.download_artifacts(report.info.run_id, 'report.html')\n"
        "assert open(path).read() == 'the report'\n"
        "runs = [r for r in runs if r is not report]\n"
        "print(json.dumps({r.data.tags['trial_id']: [r.info.status, r.data.params['seed'],\n"
        "  r.info.run_name,\n"
        "  [m.value for m in client.get_metric_history(r.info.run_id, 'val_loss')]]\n"
        "  for r in runs}))"
    )
    database = str(target / "mlflow.db")
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, database],
        capture_output=True,
        text=True,
        check=True,
    )
    runs = json.loads(found.stdout.splitlines()[-1])
    rows = read_sweep(sweep)
    assert runs.keys() == {row["trial_id"] for row in rows.trials}
    for row in rows.trials:
        if row["status"] == "completed":
            losses = [r["val_loss"] for r in rows.reports[row["trial_id"]]]
            again = f" seed {row['seed']}" if row["cohort"] == "confirm" else ""
            name = f"{row['architecture']} {row['trial_id'][:8]}{again}"
            assert runs[row["trial_id"]] == ["FINISHED", str(row["seed"]), name, losses]


@pytest.mark.slow
def test_wandb(sweep: Path, tmp_path: Path) -> None:
    """An offline run for each trial, as `wandb sync` takes it."""
    pytest.importorskip("wandb", reason="picosweep[export] is not installed")
    target = export("simulated", to="wandb", results=tmp_path)
    runs = list(target.glob("wandb/offline-run-*/run-*.wandb"))
    ids = {path.stem.removeprefix("run-") for path in runs}
    assert ids == {row["trial_id"] for row in read_sweep(sweep).trials}


def test_the_command_that_opens_an_export_is_said(sweep: Path, tmp_path: Path) -> None:
    """With the folder in quotes where it needs them; a table of numbers needs no tool."""
    said = picosweep("export", sweep, "--to", "optuna", "-o", "my studies", cwd=tmp_path)
    assert "open  optuna-dashboard sqlite:///'my studies'/optuna.db" in said
    assert "open" not in picosweep("export", sweep, "--to", "csv", "-o", "tables", cwd=tmp_path)
    assert set(FORMATS) - {"csv"} == {one for one in FORMATS if opening_command(one, tmp_path)}


def test_what_cannot_be_exported(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown format, a missing library, a folder with somebody's files in it."""
    with pytest.raises(InputError, match="unknown format"):
        export("simulated", to="excel", results=tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match="mlflow-skinny is not installed"):
        export("simulated", to="mlflow", results=tmp_path)
    with pytest.raises(InputError, match="not empty"):
        export("simulated", to="csv", output=sweep, results=tmp_path)


def test_a_folder_left_by_a_library_is_no_library(
    tmp_path: Path, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B and MLflow leave folders of their names beside the user's files."""
    (tmp_path / "left" / "mlflow").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "left")])
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    with pytest.raises(InputError, match="mlflow-skinny is not installed"):
        export("simulated", to="mlflow", results=sweep.parent)
    sys.modules.pop("mlflow", None)


def test_an_empty_folder_is_filled_and_not_made_anew(sweep: Path, tmp_path: Path) -> None:
    """It may be a mount point, which cannot be removed; what is no folder is told."""
    target = tmp_path / "mounted"
    target.mkdir()
    before = target.stat().st_ino
    export("simulated", to="csv", output=target, results=sweep.parent)
    assert target.stat().st_ino == before
    assert list(target.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder"):
        export("simulated", to="csv", output=tmp_path / "file", results=sweep.parent)
