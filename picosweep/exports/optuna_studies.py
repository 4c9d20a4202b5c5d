"""Optuna: a study for each architecture, and one for its fresh seeds."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from picosweep.exports.rows import SweepRows, time_of
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_spec
from picosweep.sweeps.spec.load import load_stored_spec
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.tables import Row

ATTRIBUTES: Final = (
    "trial_id",
    "architecture",
    "status",
    "cohort",
    "seed",
    "num_params",
    "tokens",
    "error",
)
"""What of a trial is no setting of the search."""


def export(rows: SweepRows, folder: Path) -> None:
    """Write a study for each architecture, in `optuna.db` for optuna-dashboard.

    Confirmations, which no sampler proposed, are a study of their own. Trials of an earlier space
    are in, also those of architectures that the spec no longer names.
    """
    import optuna  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec, document = load_stored_spec(rows.folder)
    try:
        spaces = check_spec(spec, document).spaces
    except InputError:  # such as an own class that is no longer there
        spaces = {}
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    for name in dict.fromkeys([*spaces, *(trial["architecture"] for trial in rows.trials)]):
        own = [trial for trial in rows.trials if trial["architecture"] == name]
        again = [trial for trial in own if trial["cohort"] == "confirm"]
        searched = [trial for trial in own if trial["cohort"] != "confirm"]
        distributions = _distributions(own, spaces.get(name))
        for study_name, trials in ((name, searched), (f"{name}/fresh seeds", again)):
            if not trials and study_name != name:
                continue
            study = optuna.create_study(
                storage=storage,
                study_name=f"{rows.name}/{study_name}",
                directions=[objective.goal for objective in spec.objectives],
            )
            with warnings.catch_warnings():  # it calls names of metrics experimental
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([objective.metric for objective in spec.objectives])
            study.add_trials([_optuna_trial(rows, trial, distributions, spec) for trial in trials])
    storage.remove_session()
    storage.engine.dispose()


def _distributions(trials: Sequence[Row], space: Space | None) -> dict[str, BaseDistribution]:
    """Return a distribution for each setting that was searched, which holds every trial's value.

    Optuna wants one set of choices for a name in all of a study, and a sweep's space may have
    changed; a vocabulary may also have come out smaller than it was asked for.
    """
    settings = [_searchable(trial) for trial in trials]
    today = {p.name: p.distribution for p in space.parameters} if space else {}
    found = {}
    for name in dict.fromkeys([*today, *(name for one in settings for name in one)]):
        values = list(dict.fromkeys(one[name] for one in settings if name in one))
        distribution = today.get(name)
        if distribution is not None:
            found[name] = _widened(distribution, values)
        elif len(values) > 1:
            found[name] = CategoricalDistribution(values)
    return found


def _widened(distribution: BaseDistribution, values: Sequence[Any]) -> BaseDistribution:
    """Return a distribution that holds the values too."""
    if isinstance(distribution, CategoricalDistribution):
        known = list(distribution.choices)
        return CategoricalDistribution(known + [value for value in values if value not in known])
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if all(distribution._contains(value) for value in values if _is_number(value)) and all(
        map(_is_number, values)
    ):
        return distribution
    if not all(map(_is_number, values)):
        return CategoricalDistribution(values)
    low, high = min(distribution.low, *values), max(distribution.high, *values)
    if isinstance(distribution, IntDistribution) and all(isinstance(v, int) for v in values):
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _optuna_trial(
    rows: SweepRows, trial: Row, distributions: Mapping[str, BaseDistribution], spec: Spec
) -> Any:
    """Return a trial as Optuna stores it: PRUNED where it was stopped, FAIL where it diverged.

    Its values on the way are those at rungs, by rung, so that curves of unlike batch sizes line up.
    A pruned trial has its last value, too.
    """
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    reports = rows.reports.get(trial["trial_id"], [])
    metric = spec.objectives[0].metric
    settings = _searchable(trial)
    own = {name: one for name, one in distributions.items() if name in settings}
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
    is_over = state in (TrialState.COMPLETE, TrialState.PRUNED)
    made = create_trial(
        state=state,
        values=values if is_over and measured else None,
        params={name: settings[name] for name in own},
        distributions=own,
        intermediate_values={
            report["rung"]: report[metric]
            for report in reports
            if report["rung"] is not None and metric in report and len(spec.objectives) == 1
        },
        user_attrs={name: trial[name] for name in ATTRIBUTES if trial.get(name) is not None},
    )
    made.datetime_start = time_of(trial["start_time"])
    if state.is_finished():
        made.datetime_complete = time_of(trial["end_time"] or trial["start_time"])
    return made


def _searchable(trial: Row) -> dict[str, Any]:
    """Return what a space may search, by name."""
    config = json.loads(trial["config"])
    of_data = {"block_size": config.get("block_size"), "vocab_size": trial.get("vocab_size")}
    settings = {name: value for name, value in of_data.items() if value is not None}
    settings |= config["model"] | config["training"] | (config.get("preference") or {})
    plain = (bool, int, float, str, type(None))
    return {name: value for name, value in settings.items() if isinstance(value, plain)}
