"""MLflow: an experiment with a run for each trial."""

import os
from pathlib import Path

from picosweep.exports.rows import SweepRows, metrics_of


def export(rows: SweepRows, folder: Path) -> None:
    """Write an experiment with a run for each trial, in `mlflow.db` for `mlflow ui`."""
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
            for name, value in metrics_of(report).items()
        ]
        for start in range(0, len(metrics), 1000):  # the most that MLflow takes at once
            client.log_batch(run.info.run_id, metrics=metrics[start : start + 1000])
        ended = trial["end_time"] or trial["start_time"]
        client.set_terminated(run.info.run_id, _mlflow_status(trial["status"]), ended // 1000)


def _mlflow_status(status: str) -> str:
    told = {"failed": "FAILED", "diverged": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
    return told.get(status, "FINISHED")
