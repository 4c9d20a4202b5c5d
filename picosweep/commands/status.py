"""Looking at sweeps and trials from any terminal, whether they run or not."""

import collections
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_sweep, find_trial
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.store.mirror import open_results
from picosweep.sweeps.store.now import read_now
from picosweep.sweeps.store.reader import read_journal, read_rows, sweep_folders, time_of
from picosweep.sweeps.store.tables import TABLES

INCIDENTS_SHOWN: Final = 5


def sweep_status(folder: Path) -> dict[str, Any]:
    """Return how far a sweep is, from its journal, so that it is true to the second.

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
    ranking = Ranking.of_stored(read_json(SweepFolder(folder).spec))
    incidents = tables.get("incidents", [])
    return {
        "sweep": folder.name,
        "driver": driver,
        "slots": now["slots"] if now else 0,
        "num_trials": len(trials),
        "num_outdated": sum(row.get("current") is False for row in trials),
        "num_reports": len(tables.get("reports", [])),
        "statuses": dict(sorted(counts.items())),
        "objective": ranking.metric,
        "best": {
            winner.row["architecture"]: [winner.row["trial_id"], winner.value]
            for winner in ranking.winners(trials)
        },
        "incidents": dict(sorted(collections.Counter(row["kind"] for row in incidents).items())),
        "last_incidents": [
            row | {"time": f"{time_of(row['time']):%Y-%m-%d %H:%M:%S} UTC"}
            for row in incidents[-INCIDENTS_SHOWN:]
        ],
    }


def status(sweep: str | None = None, *, results: str | Path = "results") -> list[dict[str, Any]]:
    """Say how far one sweep is, or each of them.

    Args:
        sweep: name of the sweep, or its folder; None for all.
        results: folder or address in which the sweeps are.

    Returns:
        what `sweep_status` returns of each.

    Raises:
        InputError: there is no such sweep.
    """
    local = open_results(results)
    folders = sweep_folders(local) if sweep is None else [find_sweep(sweep, local)]
    return [sweep_status(folder) for folder in folders]


def show(trial_id: str, *, results: str | Path = "results") -> dict[str, Any]:
    """Return everything that is known of one trial.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Returns:
        `trial`, its row; its rows of every other table, by the table's name; and `checkpoint`, the
        path of its newest one, or None.

    Raises:
        InputError: there is no such trial, or several begin like that.
    """
    folder, row = find_trial(trial_id, open_results(results))
    tables = {
        name: [r for r in read_rows(folder, name) if r["trial_id"] == row["trial_id"]]
        for name in TABLES
        if name != "trials"
    }
    stored = read_checkpoint(folder, row["trial_id"])
    return {"trial": row, **tables, "checkpoint": None if stored is None else str(stored.path)}
