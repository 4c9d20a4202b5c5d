"""MLflow: an experiment with a run for each trial."""

import os
from pathlib import Path
from typing import Final

from picosweep.exports.rows import SweepRows, metrics_of
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.tables import Row, short_id

TAGS: Final = ("trial_id", "architecture", "cohort", "status", "seed", "num_params")


def export(rows: SweepRows, folder: Path) -> None:
    """Write an experiment with a run for each trial, in `mlflow.db` for `mlflow ui`.

    The report is an artifact of a run of its own, which is called `report`.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment(rows.name, artifact_location=str(folder / "artifacts"))
    for trial in rows.trials:
        run = client.create_run(
            experiment, start_time=trial["start_time"] // 1000, run_name=_name_of(trial)
        )
        params = [Param(k, str(v)) for k, v in rows.settings(trial).items() if v is not None]
        tags = [RunTag(name, str(trial[name])) for name in TAGS if trial.get(name) is not None]
        client.log_batch(run.info.run_id, params=params, tags=tags)
        metrics = [
            Metric(name, value, report["time"] // 1000, report["step"])
            for report in rows.reports.get(trial["trial_id"], [])
            for name, value in metrics_of(report).items()
        ]
        for start in range(0, len(metrics), 1000):  # the most that MLflow takes at once
            client.log_batch(run.info.run_id, metrics=metrics[start : start + 1000])
        ended = trial["end_time"] or trial["start_time"]
        client.set_terminated(run.info.run_id, _mlflow_status(trial["status"]), ended // 1000)

    report = SweepFolder(rows.folder).report
    if report.exists():
        run = client.create_run(experiment, run_name="report", tags={"kind": "report"})
        client.log_artifact(run.info.run_id, str(report))
        client.set_terminated(run.info.run_id)


def _name_of(trial: Row) -> str:
    """Return a name that people can tell apart, which MLflow otherwise draws at random."""
    again = f" seed {trial['seed']}" if trial["cohort"] == "confirm" else ""
    return f"{trial['architecture']} {short_id(trial['trial_id'])}{again}"


def _mlflow_status(status: str) -> str:
    told = {"failed": "FAILED", "diverged": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
    return told.get(status, "FINISHED")
