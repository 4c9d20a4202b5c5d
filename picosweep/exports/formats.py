"""Writers of other tools' formats. Each takes a sweep's rows and an empty folder.

Libraries are imported inside: none of them is needed to run a sweep.
"""

import csv
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from picosweep.commands.export import SweepRows
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.spec.spaces import build_spaces
from picosweep.sweeps.store.journal import Row

NOT_METRICS: Final = frozenset({"trial_id", "rung", "step", "time"})


def _metrics(report: Row) -> dict[str, float]:
    """A report's numbers; what was not measured is left out, NaN stays."""
    return {
        name: float(value)
        for name, value in report.items()
        if name not in NOT_METRICS and isinstance(value, int | float)
    }


def export_csv(rows: SweepRows, folder: Path) -> None:
    """`trials.csv`, `reports.csv` and `decisions.csv`, times in microseconds since the epoch."""
    tables = {
        "trials": rows.trials,
        "reports": [row for found in rows.reports.values() for row in found],
        "decisions": [row for found in rows.decisions.values() for row in found],
    }
    for name, listed in tables.items():
        columns = list(dict.fromkeys(column for row in listed for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(listed)


def export_tensorboard(rows: SweepRows, folder: Path) -> None:
    """A run for each trial: a scalar for each metric, and its settings with what came of them."""
    from tensorboardX import SummaryWriter  # noqa: PLC0415
    from tensorboardX.summary import hparams  # noqa: PLC0415

    for trial in rows.trials:
        reports = rows.reports.get(trial["trial_id"], [])
        run = folder / f"{trial['architecture']}-{trial['trial_id']}"
        with SummaryWriter(str(run)) as writer:
            for report in reports:
                for name, value in _metrics(report).items():
                    writer.add_scalar(name, value, report["step"], walltime=report["time"] / 1e6)
            settings = {k: v for k, v in rows.settings(trial).items() if v is not None}
            final = {f"final/{k}": v for k, v in _metrics(reports[-1]).items()} if reports else {}
            for summary in hparams(settings | {"status": trial["status"]}, final):
                writer.file_writer.add_summary(summary)
            for name, value in final.items():
                writer.add_scalar(name, value, reports[-1]["step"])


def export_mlflow(rows: SweepRows, folder: Path) -> None:
    """An experiment with a run for each trial, in `mlflow.db` for `mlflow ui`."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment(rows.name, artifact_location=str(folder / "artifacts"))
    for trial in rows.trials:
        run = client.create_run(
            experiment, start_time=trial["start_time"] // 1000, run_name=trial["trial_id"]
        )
        params = [Param(k, str(v)) for k, v in rows.settings(trial).items() if v is not None]
        tags = [RunTag("status", trial["status"]), RunTag("trial_id", trial["trial_id"])]
        client.log_batch(run.info.run_id, params=params, tags=tags)
        metrics = [
            Metric(name, value, report["time"] // 1000, report["step"])
            for report in rows.reports.get(trial["trial_id"], [])
            for name, value in _metrics(report).items()
        ]
        for start in range(0, len(metrics), 1000):  # the most that MLflow takes at once
            client.log_batch(run.info.run_id, metrics=metrics[start : start + 1000])
        ended = trial["end_time"] or trial["start_time"]
        client.set_terminated(run.info.run_id, _mlflow_status(trial["status"]), ended // 1000)


def _mlflow_status(status: str) -> str:
    told = {"failed": "FAILED", "diverged": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
    return told.get(status, "FINISHED")


def export_optuna(rows: SweepRows, folder: Path) -> None:
    """A study for each architecture, in `optuna.db` for optuna-dashboard.

    Confirmations, which no sampler proposed, are left out.
    """
    import optuna  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec = Spec.model_validate({k: v for k, v in rows.spec.items() if k != "comparable"})
    document = Document(path=Path("spec.json"), content=rows.spec, lines={})
    spaces, _ = build_spaces(spec, document, find_architectures(spec, document))
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    for name, space in spaces.items():
        study = optuna.create_study(
            storage=storage,
            study_name=f"{rows.name}/{name}",
            directions=[objective.goal for objective in spec.objectives],
        )
        searched = [
            trial
            for trial in rows.trials
            if trial["architecture"] == name and trial["cohort"] != "confirm"
        ]
        study.add_trials([_optuna_trial(rows, trial, space, spec) for trial in searched])
    storage.remove_session()
    storage.engine.dispose()


def _optuna_trial(rows: SweepRows, trial: Row, space: Space, spec: Spec) -> Any:
    """A trial as its study knew it: PRUNED with its values on the way, FAIL where it diverged."""
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    reports = rows.reports.get(trial["trial_id"], [])
    metric = spec.objectives[0].metric
    chosen = space.extract(_searchable(trial))
    distributions = space.distributions(chosen)
    found = [trial.get(objective.metric) for objective in spec.objectives]
    values = [float(value) for value in found if value is not None and math.isfinite(value)]
    measured = len(values) == len(found)
    state = {"stopped": TrialState.PRUNED, "running": TrialState.RUNNING}.get(trial["status"])
    if trial["status"] in ("completed", "cached") and measured:
        ended_early = any(
            row["action"] == "stop" for row in rows.decisions.get(trial["trial_id"], ())
        )
        state = TrialState.PRUNED if ended_early else TrialState.COMPLETE
    state = state or TrialState.FAIL
    return create_trial(
        state=state,
        values=values if state == TrialState.COMPLETE else None,
        params={name: chosen[name] for name in distributions},
        distributions=distributions,
        intermediate_values={
            report["step"]: report[metric]
            for report in reports
            if report["rung"] is not None and metric in report and len(spec.objectives) == 1
        },
        user_attrs={"trial_id": trial["trial_id"], "status": trial["status"]},
    )


def _searchable(trial: Row) -> Mapping[str, Any]:
    """What a space may search, by name: the trial's own columns."""
    config = json.loads(trial["config"])
    searchable: dict[str, Any] = trial | config["model"] | config["training"]
    return searchable


def export_wandb(rows: SweepRows, folder: Path) -> None:
    """A run for each trial in W&B's offline format; `wandb sync` uploads them."""
    import wandb  # noqa: PLC0415

    for trial in rows.trials:
        run = wandb.init(
            mode="offline",
            dir=str(folder),
            project=rows.name,
            id=trial["trial_id"],
            name=f"{trial['architecture']}-{trial['trial_id']}",
            group=trial["architecture"],
            config=rows.settings(trial),
            tags=[trial["status"], trial["cohort"]],
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
        for report in rows.reports.get(trial["trial_id"], []):
            run.log(_metrics(report), step=report["step"])
        run.summary["status"] = trial["status"]
        run.finish(exit_code=int(trial["status"] in ("failed", "diverged")))
