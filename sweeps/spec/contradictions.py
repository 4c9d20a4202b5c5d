"""What settings of a spec, each right by itself, cannot be together."""

import itertools

from picosweep.pico.errors import FieldError
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.tables import (
    ASKED_FOR,
    KNOWN_BEFORE_TRAINING,
    OBJECTIVES,
    OF_PREFERENCE,
)


def check_contradictions(spec: Spec) -> None:
    """Refuse a spec whose settings contradict each other.

    Raises:
        FieldError: the first contradiction.
    """
    _check_init_from(spec)
    _check_task(spec)
    _check_objectives(spec)
    _check_rungs(spec)
    _check_budget(spec)


def _check_init_from(spec: Spec) -> None:
    """Hold trials that are named by architecture to the architectures that there are."""
    named = spec.init_from
    if named is not None and spec.sft is not None:
        raise FieldError(
            "sft trains what trials start from",
            field="init_from",
            found=str(named),
            allowed="no such key beside sft",
        )
    if not isinstance(named, dict):
        return
    if unknown := sorted(named.keys() - spec.architectures.keys()):
        raise FieldError(
            "no such architecture in this sweep",
            field=f"init_from.{unknown[0]}",
            found=unknown[0],
            allowed=", ".join(spec.architectures),
        )
    if spec.task == "preference" and (missing := sorted(spec.architectures.keys() - named.keys())):
        raise FieldError(
            "every architecture needs a reference",
            field="init_from",
            found=f"none for {missing[0]}",
            allowed="a trial's id for each",
        )


def _check_task(spec: Spec) -> None:
    """Hold what a spec says of preferences to its task."""
    if spec.task != "preference":
        if spec.sft is not None:
            raise FieldError(
                "references are trained for preference training alone",
                field="sft",
                found=f"task {spec.task}",
                allowed="task: preference",
            )
        if spec.preference:
            raise FieldError(
                "settings of another task",
                field="preference",
                found=f"task {spec.task}",
                allowed="task: preference",
            )
        of_pairs = [one.metric for one in spec.objectives if one.metric in OF_PREFERENCE]
        if of_pairs:
            raise FieldError(
                "a metric of another task",
                field="objectives",
                found=of_pairs[0],
                allowed="task: preference",
            )
        return
    if spec.init_from is None and spec.sft is None:
        raise FieldError(
            "preference training starts from a trained trial, which is its reference, too",
            field="init_from",
            found="none",
            allowed="a trial's id; or a section sft, which trains one first",
        )
    made = {"corruption", "prompt_tokens"} & spec.preference.keys()
    if "pairs" in spec.preference and made:
        raise FieldError(
            "pairs of your own are not made by a corruption",
            field=f"preference.{min(made)}",
            found=str(spec.preference[min(made)]),
            allowed="no such key beside pairs",
        )
    losses = [one.metric for one in spec.objectives if one.metric in ("val_loss", "train_loss")]
    if losses:
        raise FieldError(
            "a preference loss picks beta and the kind of loss, not models: at the start it is "
            "ln 2 for every beta of dpo, and 1 / (4 beta^2) for ipo",
            field="objectives",
            found=losses[0],
            allowed="preference_accuracy, and reference_kl beside it",
        )


def _check_objectives(spec: Spec) -> None:
    if spec.objectives[0].metric in KNOWN_BEFORE_TRAINING:
        raise FieldError(
            "the first objective must be measured in training: early stopping looks at it",
            field="objectives",
            found=spec.objectives[0].metric,
            allowed=", ".join(m for m in OBJECTIVES if m not in KNOWN_BEFORE_TRAINING),
        )
    for place, objective in enumerate(spec.objectives):
        if objective.metric in ASKED_FOR:
            _check_asked(spec, objective.metric, is_first=place == 0)


def _check_asked(spec: Spec, metric: str, *, is_first: bool) -> None:
    """Hold a score that the search looks at to being measured where it looks."""
    suites, rungs = spec.evaluate.suite, spec.budget.rungs
    if not suites or (metric == "code_pass" and "code" not in suites):
        raise FieldError(
            f"the sweep searches for {metric}, which no suite of it measures",
            field="evaluate.suite",
            found=", ".join(suites) or "none",
            allowed="code" if metric == "code_pass" else "code, text",
        )
    wanted = range(rungs) if is_first else range(rungs - 1, rungs)
    if missing := set(wanted) - set(spec.evaluate.at(rungs)):
        raise FieldError(
            f"the sweep searches for {metric}, and looks at it at every rung"
            if is_first
            else f"the sweep searches for {metric}, and looks at it at the last rung",
            field="evaluate.rungs",
            found=f"none at rung {min(missing)}",
            allowed="all" if is_first else "last, or all",
        )


def _check_rungs(spec: Spec) -> None:
    for name in ("samples", "evaluate", "probes"):
        asked = getattr(spec, name).at(spec.budget.rungs)
        beyond = [rung for rung in asked if rung >= spec.budget.rungs]
        if beyond:
            raise FieldError(
                "there is no such rung",
                field=f"{name}.rungs",
                found=beyond[0],
                allowed=f"0 to {spec.budget.rungs - 1}",
            )


def _check_budget(spec: Spec) -> None:
    budget = spec.budget
    if budget.unit == "seconds":
        _check_silence(spec)
    elif not isinstance(budget.min, int):
        raise FieldError(
            "only seconds can be cut into parts",
            field="budget.min",
            found=budget.min,
            allowed=f"a whole number of {budget.unit}",
        )


def _check_silence(spec: Spec) -> None:
    """Check that a trial which trains from one report to the next is not ended for its silence."""
    longest = max(after - before for before, after in itertools.pairwise((0, *spec.budget.marks)))
    if longest >= 60 * spec.limits.minutes_without_report:
        raise FieldError(
            "every trial would be ended for its silence: from one report to the next it trains "
            f"up to {longest:g} seconds",
            field="limits.minutes_without_report",
            found=f"{spec.limits.minutes_without_report:g}",
            allowed=f"above {longest / 60:g}, or more budget.reports_per_rung",
        )
