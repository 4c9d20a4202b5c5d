"""Turns a spec's architectures into search spaces, and parses its constraints."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.training_config import SCHEDULES_WITH_HORIZON, ScheduleName
from picosweep.pico.value_types import fits, name_of
from picosweep.sweeps.errors import InputError, Problem, did_you_mean
from picosweep.sweeps.spec.architectures import SOURCE_KEYS, NamedArchitecture
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
from picosweep.sweeps.spec.expressions import ALLOWED, Expression, parse_expression
from picosweep.sweeps.spec.hyperparameters import (
    FACTS,
    NO_LAST_STEP,
    hyperparameter_types,
)
from picosweep.sweeps.spec.parameters import KINDS, Parameter, Space, Value, parse_parameter
from picosweep.sweeps.spec.schema import Spec

SHORT: Final[Mapping[KeyPath, str]] = {("preference", "loss"): "preference_loss"}
"""Hyperparameters that have a shorter name in a section of their own."""
_SCHEDULES_WITHOUT_END: Final = sorted(set(typing.get_args(ScheduleName)) - SCHEDULES_WITH_HORIZON)


def build_spaces(
    spec: Spec, document: Document, architectures: Mapping[str, NamedArchitecture]
) -> tuple[dict[str, Space], tuple[Expression, ...]]:
    """Return each architecture's search space by its name, and the constraints.

    Raises:
        InputError: with one problem for each thing that is wrong.
    """
    problems: list[Problem] = []
    types = {name: hyperparameter_types(found, spec.task) for name, found in architectures.items()}
    spaces = {
        name: _build_space(spec, found, types, document, problems)
        for name, found in architectures.items()
    }
    for found in architectures.values():
        problems += _taken_by_task(spec, found, document)
    constraints = _parse_constraints(spec, types, document, problems)
    if problems:
        raise InputError(*dict.fromkeys(problems))  # `common` is read for each architecture
    return spaces, constraints


def _taken_by_task(
    spec: Spec, architecture: NamedArchitecture, document: Document
) -> Iterator[Problem]:
    """Yield a problem for each argument of a class that the task has a setting of that name for."""
    if spec.task != "preference":
        return
    own = {field.name for field in dataclasses.fields(architecture.config_class)}
    for name in sorted(own & {field.name for field in dataclasses.fields(PreferenceConfig)}):
        key: KeyPath = ("architectures", architecture.name)
        yield Problem(
            message="an argument of the class is called like a setting of preference training",
            where=document.where(key),
            key=dotted(key),
            found=name,
            allowed="another name in the class",
        )


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
        (("preference",), {n: v for n, v in spec.preference.items() if n != "pairs"}),
        (("architectures", architecture.name), own),
    ]
    for section, values in sections:
        merged |= {
            SHORT.get((*section, name), name): ((*section, name), value)
            for name, value in values.items()
            if name not in SOURCE_KEYS
        }
    for name, (key, value) in merged.items():
        place = {"where": document.where(key), "key": dotted(key)}
        if name not in types:
            if key[0] == "common" and any(name in other for other in all_types.values()):
                continue  # common to those architectures that have it
            problems.append(_unknown(name, architecture, types, place))
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


def _unknown(
    name: str, architecture: NamedArchitecture, known: Mapping[str, Any], place: Mapping[str, str]
) -> Problem:
    if name in architecture.left_out:
        return Problem(
            message="an argument of the class that no spec can give",
            found=f"{name}: {architecture.left_out[name]}",
            allowed="its default; or make it a number, a text, true, false or null in the class",
            **place,
        )
    return Problem(
        message="unknown hyperparameter",
        found=str(name),
        allowed=", ".join(sorted(known)),
        hint=did_you_mean(name, known),
        **place,
    )


def _needs_last_step(parameter: Parameter) -> bool:
    """Return whether every value of a parameter is a schedule that needs the last step.

    Where only some are, their configurations are rejected like those that break a constraint.
    """
    if parameter.name != "schedule" or parameter.when is not None:
        return False
    return not set(parameter.values() or ()) & set(_SCHEDULES_WITHOUT_END)


def _check_types(parameter: Parameter, hint: Any) -> None:
    match parameter.distribution:
        case None:
            values: Sequence[Value] = [parameter.fixed]
        case CategoricalDistribution(choices=choices):
            values = choices
        case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high):
            values = [low, high]
    for value in values:
        if not fits(value, hint):
            raise ValueError(f"{_written(value)} is not {name_of(hint)}")


def _written(value: Value) -> str:
    """Return a value as YAML writes it."""
    return "null" if value is None else repr(value)


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
                    hint=did_you_mean(unknown[0], known),
                    **place,
                )
            )
        parsed.append(expression)
    return tuple(parsed)
