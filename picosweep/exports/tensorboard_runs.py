"""TensorBoard: a run for each trial."""

from pathlib import Path

from picosweep.exports.rows import SweepRows, metrics_of


def export(rows: SweepRows, folder: Path) -> None:
    """Write a run for each trial: a scalar for each metric, and settings with final metrics."""
    from tensorboardX import SummaryWriter  # noqa: PLC0415
    from tensorboardX.summary import hparams  # noqa: PLC0415

    for trial in rows.trials:
        reports = rows.reports.get(trial["trial_id"], [])
        run = folder / f"{trial['architecture']}-{trial['trial_id']}"
        with SummaryWriter(str(run)) as writer:
            for report in reports:
                for name, value in metrics_of(report).items():
                    writer.add_scalar(name, value, report["step"], walltime=report["time"] / 1e6)
            settings = {k: v for k, v in rows.settings(trial).items() if v is not None}
            final = {f"final/{k}": v for k, v in metrics_of(reports[-1]).items()} if reports else {}
            for summary in hparams(settings | {"status": trial["status"]}, final):
                writer.file_writer.add_summary(summary)
            for name, value in final.items():
                writer.add_scalar(name, value, reports[-1]["step"])
