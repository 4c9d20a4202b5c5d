"""Optuna: a study for each architecture."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picosweep.exports.rows import SweepRows
from picosweep.sweeps.search.setup import check_spec
from picosweep.sweeps.spec.load import load_stored_spec
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.tables import Row


def export(rows: SweepRows, folder: Path) -> None:
    """Write a study for each architecture, in `optuna.db` for optuna-dashboard.

    Confirmations, which no sampler proposed, are left out.
    """
    import optuna  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec, document = load_stored_spec(rows.folder)
    spaces = check_spec(spec, document).spaces
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
    """Return a trial as Optuna stores it: PRUNED where it was stopped, FAIL where it diverged.

    Its values on the way are those at rungs, by optimizer step.
    """
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
    """Return what a space may search, by name: the trial's columns and its configuration."""
    config = json.loads(trial["config"])
    searchable: dict[str, Any] = trial | config["model"] | config["training"]
    return searchable
