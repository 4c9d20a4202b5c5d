"""W&B: a run for each trial, in its offline format."""

from pathlib import Path

from picosweep.exports.rows import SweepRows, metrics_of


def export(rows: SweepRows, folder: Path) -> None:
    """Write a run for each trial in W&B's offline format; `wandb sync` uploads them."""
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
            run.log(metrics_of(report), step=report["step"])
        run.summary["status"] = trial["status"]
        run.finish(exit_code=int(trial["status"] in ("failed", "diverged")))
