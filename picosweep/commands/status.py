"""Looking at sweeps and trials from any terminal, whether they run or not."""

import collections
import json
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_sweep, find_trial
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.store.reader import read_journal, read_rows, sweep_folders, time_of
from picosweep.sweeps.workers.heartbeat import read_now
from picosweep.terminal.summary import short

INCIDENTS_SHOWN: Final = 5


def sweep_status(folder: Path) -> dict[str, Any]:
    """How far a sweep is, from its journal, so that it is true to the second.

    Trials that have not ended count as `running` where a process trains them, as `waiting` where
    they have been begun or chosen and are to go on.
    """
    tables = read_journal(folder)
    trials = tables["trials"]
    driver = running_driver(folder)
    counts = collections.Counter(str(row["status"]) for row in trials)
    now = read_now(folder) if driver else None
    unended = counts.pop("running", 0)
    running = min(len(now["running"]), unended) if now else 0
    counts += collections.Counter(running=running, waiting=unended - running)
    ranking = Ranking.of_stored(_stored_spec(folder))
    best = [
        winner
        for name in dict.fromkeys(row["architecture"] for row in trials)
        if (winner := ranking.best(trials, name)) is not None
    ]
    best.sort(key=ranking.key)
    incidents = tables.get("incidents", [])
    return {
        "sweep": folder.name,
        "driver": driver,
        "slots": now["slots"] if now else 0,
        "num_trials": len(trials),
        "num_reports": len(tables.get("reports", [])),
        "statuses": dict(sorted(counts.items())),
        "objective": ranking.metric,
        "best": {row["architecture"]: [row["trial_id"], row[ranking.metric]] for row in best},
        "incidents": dict(sorted(collections.Counter(row["kind"] for row in incidents).items())),
        "last_incidents": [
            row | {"time": f"{time_of(row['time']):%Y-%m-%d %H:%M:%S} UTC"}
            for row in incidents[-INCIDENTS_SHOWN:]
        ],
    }


def _stored_spec(folder: Path) -> Any:
    try:
        return json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def all_statuses(results: Path, name: str | None) -> list[dict[str, Any]]:
    """The status of one sweep, or of all."""
    folders = sweep_folders(results) if name is None else [find_sweep(name, results)]
    return [sweep_status(folder) for folder in folders]


def print_statuses(console: Console, statuses: list[dict[str, Any]]) -> None:
    """A row for each sweep."""
    table = Table()
    for name in ("sweep", "now", "trials", "statuses", "best"):
        table.add_column(name, overflow="fold")
    for status in statuses:
        best = list(status["best"].items())[:2]
        told = ", ".join(f"{name} {value:.4f}" for name, (_, value) in best)
        table.add_row(
            status["sweep"],
            f"run by {status['driver']}" if status["driver"] else "not running",
            str(status["num_trials"]),
            ", ".join(f"{count} {name}" for name, count in status["statuses"].items()),
            f"{told} ({status['objective']})" if best else "",
        )
    console.print(table)
    if len(statuses) == 1:
        for row in statuses[0]["last_incidents"]:
            trial = f" trial {row['trial_id']}" if row["trial_id"] else ""
            told = f"{row['time']} {row['kind']}{trial}: {row['text']}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)


def describe_trial(trial_id: str, results: Path) -> dict[str, Any]:
    """Everything that is known of one trial."""
    folder, row = find_trial(trial_id, results)
    tables = {
        name: [r for r in read_rows(folder, name) if r["trial_id"] == row["trial_id"]]
        for name in ("reports", "decisions", "samples", "incidents")
    }
    stored = read_checkpoint(folder, row["trial_id"])
    return {"trial": row, **tables, "checkpoint": None if stored is None else str(stored.path)}


def print_trial(console: Console, found: dict[str, Any]) -> None:
    """One trial: what it is, how it learnt, what was decided about it."""
    row = found["trial"]
    hyperparameters = json.loads(row["config"])
    console.print(
        f"[bold]{row['trial_id']}[/bold]  {row['architecture']}  {row['status']}  "
        f"(sweep {row['sweep']}, {row['cohort']}, seed {row['seed']})",
        highlight=False,
    )
    for part in ("model", "training"):
        told = " ".join(f"{name}={short(value)}" for name, value in hyperparameters[part].items())
        console.print(f"{part}: {told}", highlight=False)
    console.print(
        f"{row['num_params']:,} parameters, {row['flops_per_token']:,.0f} FLOPs a token",
        style="dim",
    )
    actions = {decision["rung"]: decision["action"] for decision in found["decisions"]}
    table = Table()
    for name in ("rung", "step", "tokens", "train_loss", "val_loss", "accuracy", "bits/byte"):
        table.add_column(name, justify="right")
    table.add_column("decision")
    for report in found["reports"]:
        rung = report["rung"]
        table.add_row(
            "" if rung is None else str(rung),
            f"{report['step']:,}",
            f"{report['tokens']:,}",
            f"{report['train_loss']:.4f}",
            f"{report['val_loss']:.4f}",
            f"{report['val_accuracy']:.1%}",
            f"{report['bits_per_byte']:.3f}",
            "" if rung is None else actions.get(rung, ""),
        )
    console.print(table)
    for sample in found["samples"]:
        console.print(f"{sample['decoder']}:", style="dim", end=" ")
        console.print(repr(sample["prompt"] + sample["text"]), markup=False, highlight=False)
    for incident in found["incidents"]:
        told = f"{incident['time']:%Y-%m-%d %H:%M:%S} {incident['kind']}: {incident['text']}"
        console.print(told, markup=False, highlight=False)
    if row["error"]:
        console.print(f"error: {row['error']}", markup=False)
    console.print(f"checkpoint: {found['checkpoint'] or 'none'}", soft_wrap=True, highlight=False)
