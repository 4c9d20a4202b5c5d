"""Turns a spec's architectures into search spaces, and checks that they can be trained."""

import collections
import dataclasses
import random
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

import optuna

from picosweep.pico.training_config import SCHEDULES_WITH_HORIZON, ScheduleName, TrainingConfig
from picosweep.sweeps.errors import InputError, Problem, nearest
from picosweep.sweeps.search.candidates import (
    FACTS,
    NO_LAST_STEP,
    Candidate,
    CandidateFactory,
    DataSettings,
    Rejection,
)
from picosweep.sweeps.spec.architectures import SOURCE_KEYS, NamedArchitecture
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
from picosweep.sweeps.spec.expressions import ALLOWED, Expression, parse_expression
from picosweep.sweeps.spec.parameters import KINDS, Parameter, Space, Value, parse_parameter
from picosweep.sweeps.spec.schema import Spec

_SCHEDULES_WITHOUT_END: Final = sorted(set(typing.get_args(ScheduleName)) - SCHEDULES_WITH_HORIZON)
CHECKED: Final = 200
"""Configurations per architecture that are tried out before a sweep starts."""


def build_spaces(
    spec: Spec, document: Document, architectures: Mapping[str, NamedArchitecture]
) -> tuple[dict[str, Space], tuple[Expression, ...]]:
    """Each architecture's search space, and the constraints.

    Raises:
        InputError: with one problem for each thing that is wrong.
    """
    problems: list[Problem] = []
    types = {name: hyperparameter_types(found) for name, found in architectures.items()}
    spaces = {
        name: _build_space(spec, found, types, document, problems)
        for name, found in architectures.items()
    }
    constraints = _parse_constraints(spec, types, document, problems)
    if problems:
        raise InputError(*dict.fromkeys(problems))  # `common` is read for each architecture
    return spaces, constraints


def _build_space(
    spec: Spec,
    architecture: NamedArchitecture,
    all_types: Mapping[str, Mapping[str, Any]],
    document: Document,
    problems: list[Problem],
) -> Space:
    types = all_types[architecture.name]
    own = spec.architectures[architecture.name]
    parameters: list[Parameter] = []
    merged: dict[str, tuple[KeyPath, Any]] = {}
    sections: list[tuple[KeyPath, Mapping[str, Any]]] = [
        (("architectures", architecture.name, "preset"), architecture.preset),
        (("common",), spec.common),
        (("architectures", architecture.name), own),
    ]
    for section, values in sections:
        merged |= {
            name: ((*section, name), value)
            for name, value in values.items()
            if name not in SOURCE_KEYS
        }
    for name, (key, value) in merged.items():
        place = {"where": document.where(key), "key": dotted(key)}
        if name not in types:
            if key[0] == "common" and any(name in other for other in all_types.values()):
                continue  # common to those architectures that have it
            problems.append(
                Problem(
                    message="unknown hyperparameter",
                    found=str(name),
                    allowed=", ".join(sorted(types)),
                    hint=nearest(name, types),
                    **place,
                )
            )
            continue
        try:
            parameter = parse_parameter(name, value)
            _check_types(parameter, types[name])
            _check_condition(parameter, parameters)
        except ValueError as error:
            problems.append(
                Problem(
                    message=str(error),
                    found=repr(value),
                    allowed=f"a value, a list of choices, or one of {', '.join(KINDS)}",
                    **place,
                )
            )
            continue
        if spec.budget.unit == "seconds" and _needs_last_step(parameter):
            problems.append(
                Problem(
                    message=NO_LAST_STEP.format("this schedule"),
                    found=repr(value),
                    allowed=", ".join(_SCHEDULES_WITHOUT_END),
                    hint="or give the budget in tokens, steps or flops",
                    **place,
                )
            )
        parameters.append(parameter)
    return Space(parameters=tuple(parameters))


def hyperparameter_types(architecture: NamedArchitecture) -> dict[str, Any]:
    """The type of every hyperparameter that an architecture has: model, training and data."""
    types: dict[str, Any] = {}
    for config_class in (architecture.config_class, TrainingConfig, DataSettings):
        hints = typing.get_type_hints(config_class)
        types |= {field.name: hints[field.name] for field in dataclasses.fields(config_class)}
    return types


def _needs_last_step(parameter: Parameter) -> bool:
    """Whether no value of it leaves a trial without a schedule that looks at its last step.

    Where some do, the others are rejected one by one, like what breaks a constraint.
    """
    if parameter.name != "schedule" or parameter.when is not None:
        return False
    return not set(parameter.values() or ()) & set(_SCHEDULES_WITHOUT_END)


def _check_types(parameter: Parameter, hint: Any) -> None:
    listed = parameter.values()
    for value in listed if listed is not None else [parameter.distribution.low]:  # type: ignore[union-attr]
        if not _fits(value, hint):
            raise ValueError(f"{value!r} is not {_type_name(hint)}")


def _fits(value: Value, hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Literal:
        return any(
            value == choice and type(value) is type(choice) for choice in typing.get_args(hint)
        )
    options = typing.get_args(hint) or (hint,)
    if any(typing.get_origin(option) is typing.Literal for option in options):
        return any(_fits(value, option) for option in options)
    return type(value) in options or (type(value) is int and float in options)


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    options = typing.get_args(hint) or (hint,)
    return " or ".join(
        names.get(option, str(option)) for option in options if option is not type(None)
    )


def _check_condition(parameter: Parameter, before: list[Parameter]) -> None:
    if parameter.when is None:
        return
    unknown = sorted(parameter.when.names - {other.name for other in before})
    if unknown:
        raise ValueError(f"when reads {unknown[0]}, which must be named before it in this space")


def _parse_constraints(
    spec: Spec,
    all_types: Mapping[str, Mapping[str, Any]],
    document: Document,
    problems: list[Problem],
) -> tuple[Expression, ...]:
    known = {name for types in all_types.values() for name in types} | set(FACTS)
    parsed = []
    for index, text in enumerate(spec.constraints):
        key: KeyPath = ("constraints", index)
        place = {"where": document.where(key), "key": dotted(key), "found": text}
        try:
            expression = parse_expression(text)
        except ValueError as error:
            problems.append(Problem(message=str(error), allowed=ALLOWED, **place))
            continue
        unknown = sorted(expression.names - known)
        if unknown:
            problems.append(
                Problem(
                    message=f"no architecture of this sweep has {unknown[0]}",
                    allowed=", ".join(sorted(known)),
                    hint=nearest(unknown[0], known),
                    **place,
                )
            )
        parsed.append(expression)
    return tuple(parsed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Feasibility:
    """How much of a space can be trained."""

    num_checked: int
    num_feasible: int
    complete: bool
    """Whether every configuration of the space was checked, or a random sample."""
    reasons: collections.Counter[str]
    """Why configurations were rejected, and how often."""


def check_feasibility(
    spec: Spec, spaces: Mapping[str, Space], factory: CandidateFactory, document: Document
) -> dict[str, Feasibility]:
    """Try out configurations of every space.

    Raises:
        InputError: nothing in a space can be trained, or a choice is impossible by itself.
    """
    results = {}
    problems: list[Problem] = []
    for name, space in spaces.items():
        checked, complete = _checked(space)
        outcomes = [_reason(factory.build(name, chosen, spec.seed)) for chosen in checked]
        reasons = collections.Counter(reason for reason in outcomes if reason is not None)
        results[name] = Feasibility(
            num_checked=len(checked),
            num_feasible=len(checked) - reasons.total(),
            complete=complete,
            reasons=reasons,
        )
        if results[name].num_feasible == 0:
            key: KeyPath = ("architectures", name)
            worst = "; ".join(f"{count}× {reason}" for reason, count in reasons.most_common(3))
            how_many = "every configuration" if complete else f"{len(checked)} at random"
            problems.append(
                Problem(
                    message="nothing in this space can be trained",
                    where=document.where(key),
                    key=dotted(key),
                    found=f"{how_many} rejected: {worst}",
                    allowed="at least one configuration that satisfies every constraint",
                )
            )
        else:
            problems += _impossible_choices(name, checked, outcomes, document)
    if problems:
        raise InputError(*problems)
    return results


def feasible_candidates(
    spec: Spec, name: str, space: Space, factory: CandidateFactory
) -> list[Candidate]:
    """The candidates among the configurations that `check_feasibility` tries out."""
    outcomes = [factory.build(name, chosen, spec.seed) for chosen in _checked(space)[0]]
    return [outcome for outcome in outcomes if isinstance(outcome, Candidate)]


def typical(candidates: Sequence[Candidate]) -> Candidate:
    """The configuration in the middle by training cost."""
    return sorted(candidates, key=lambda candidate: candidate.predicted_flops)[len(candidates) // 2]


def _checked(space: Space) -> tuple[list[dict[str, Value]], bool]:
    """Configurations to try out, and whether they are all there are."""
    listed = space.configurations(CHECKED)
    return (listed, True) if listed is not None else (_sample(space), False)


def _reason(outcome: Candidate | Rejection) -> str | None:
    return outcome.reason if isinstance(outcome, Rejection) else None


def _impossible_choices(
    architecture: str,
    checked: list[dict[str, Value]],
    outcomes: list[str | None],
    document: Document,
) -> list[Problem]:
    """Choices that a hyperparameter's own range forbids: a slip, not a constraint at work."""
    by_choice: dict[tuple[str, Value], list[str | None]] = collections.defaultdict(list)
    for chosen, outcome in zip(checked, outcomes, strict=True):
        for choice in chosen.items():
            by_choice[choice].append(outcome)
    problems = []
    for (name, value), reasons in by_choice.items():
        own = [reason for reason in reasons if reason is not None and reason.startswith(name)]
        if len(own) == len(reasons):
            key: KeyPath = ("architectures", architecture, name)
            problems.append(
                Problem(
                    message=f"a choice that is never possible: {own[0]}",
                    where=document.where(key),
                    key=dotted(key),
                    found=repr(value),
                )
            )
    return problems


def _sample(space: Space) -> list[dict[str, Value]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = random.Random(0).randrange(2**31)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(CHECKED)]
