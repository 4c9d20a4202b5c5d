"""Finding sweeps and trials by the names that people type."""

from pathlib import Path
from typing import Any

from picosweep.sweeps.errors import did_you_mean, input_error
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.reader import read_rows, sweep_folders


def find_sweep(name: str, results: Path) -> Path:
    """Return a sweep's folder, from its name or its path.

    Raises:
        InputError: there is no such sweep; the message names the sweeps that there are.
    """
    for folder in (results / name, Path(name).expanduser()):
        if SweepFolder(folder).is_sweep:
            return folder
    names = [folder.name for folder in sweep_folders(results)]
    raise input_error(
        "no such sweep",
        where=str(results),
        found=name,
        allowed=", ".join(names) or "none yet: run one first",
        hint=did_you_mean(name, names),
    )


def find_trial(trial_id: str, results: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the row of a trial, from its id or a beginning of it.

    Where several sweeps hold the trial, the one that trained it is taken.

    Raises:
        InputError: no trial's id begins like that, or those of several do.
    """
    found = [
        (row["status"] == "cached", folder, row["trial_id"])
        for folder in sweep_folders(results)
        for row in read_rows(folder, "trials", ["trial_id", "status"])
        if row["trial_id"].startswith(trial_id)
    ]
    ids = sorted({found_id for _, _, found_id in found})
    if not ids:
        raise input_error("no such trial", where=str(results), found=trial_id)
    if len(ids) > 1:
        raise input_error(
            "several trials begin like this",
            where=str(results),
            found=trial_id,
            allowed=", ".join(ids[:5]),
        )
    _, folder, whole_id = min(found)
    row = next(row for row in read_rows(folder, "trials") if row["trial_id"] == whole_id)
    return folder, row
