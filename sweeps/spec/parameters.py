"""Search spaces: what a hyperparameter may be, and how it is written in a spec.

context_size: [1, 2, 3]                           choices
embed_size: 64                                    fixed
dropout: {uniform: [0.0, 0.3], step: 0.1}         range, stepped or not
learning_rate: {log_uniform: [1e-4, 1e-2]}        range on a logarithmic scale
num_layers: {int_uniform: [1, 4]}                 whole numbers; or log_int_uniform
num_heads: {choices: [2, 4], when: "attention == 'softmax'"}    only where it applies
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, overload

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from picosweep.sweeps.errors import did_you_mean
from picosweep.sweeps.spec.expressions import Expression, parse_expression

Value = bool | int | float | str | None
"""None where it is written: `grad_clip: null` never clips."""
RANGES = ("uniform", "log_uniform", "int_uniform", "log_int_uniform")
KINDS = ("choices", "fixed", *RANGES)


def _exact(number: float) -> Decimal:
    """Return a number as it is written: the float nearest to 0.1 is a little more than that."""
    return Decimal(repr(number))


@dataclass(frozen=True)
class Steps(Sequence[float]):
    """The values of a stepped range as they are written: 0.3, and not 0.1 added up three times."""

    low: float
    high: float
    step: float

    def __len__(self) -> int:
        return int((_exact(self.high) - _exact(self.low)) / _exact(self.step)) + 1

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        number = index % len(self)
        return float(_exact(self.low) + number * _exact(self.step))

    def nearest(self, value: float) -> float:
        """Return the value of the range that is nearest to another one."""
        number = round((value - self.low) / self.step)
        return self[min(len(self) - 1, max(0, number))]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One hyperparameter's values: an Optuna distribution, or a fixed one."""

    name: str
    fixed: Value = None
    """The one value there is, where there is no distribution."""
    distribution: BaseDistribution | None = None
    when: Expression | None = None
    remark: str = ""
    """What the user should know of how it was read, in a sentence."""

    def values(self) -> Sequence[Value] | None:
        """Return every value it can take, or None where they are without number.

        Wide ranges are not listed: only what is taken from them is made.
        """
        match self.distribution:
            case None:
                return [self.fixed]
            case CategoricalDistribution(choices=choices):
                return choices
            case IntDistribution(low=low, high=high, step=step):
                return range(low, high + 1, step)
            case FloatDistribution(low=low, high=high, step=float(step)):
                return Steps(low, high, step)
        return None

    def whole_numbers(self) -> Sequence[int]:
        """Return every value of a hyperparameter that is a whole number."""
        values = self.values()
        return values if isinstance(values, range) else [int(v) for v in values or () if v]


@dataclass(frozen=True, kw_only=True)
class Space:
    """One architecture's search space, in the order in which the spec names its parameters."""

    parameters: tuple[Parameter, ...]

    @property
    def searched(self) -> tuple[str, ...]:
        """The names of the parameters that can vary."""
        return tuple(p.name for p in self.parameters if p.distribution is not None)

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name, None where the space has none."""
        return next((p for p in self.parameters if p.name == name), None)

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """Ask Optuna for one configuration; conditional parameters are left out where off."""
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if not _applies(parameter, chosen):
                continue
            if parameter.distribution is None:
                chosen[parameter.name] = parameter.fixed
            else:
                chosen[parameter.name] = _ask(trial, parameter.name, parameter.distribution)
        return chosen

    def draw(self, chance: random.Random) -> dict[str, Value]:
        """Draw one configuration, without the bookkeeping of a study."""
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if not _applies(parameter, chosen):
                continue
            if parameter.distribution is None:
                chosen[parameter.name] = parameter.fixed
            else:
                chosen[parameter.name] = _draw(parameter.distribution, chance)
        return chosen

    def count(self) -> int | None:
        """Return the product of all parameters' numbers of values; None where it is infinite."""
        listed = [parameter.values() for parameter in self.parameters]
        if any(values is None for values in listed):
            return None
        return math.prod(len(values or ()) for values in listed)

    def configurations(self, limit: int) -> list[dict[str, Value]] | None:
        """Return every configuration; None past `limit` or where the space is infinite."""
        count = self.count()
        if count is None or count > limit:
            return None
        return [dict(items) for items in dict.fromkeys(self._enumerate())]

    def _enumerate(self) -> Iterator[tuple[tuple[str, Value], ...]]:
        listed = [parameter.values() or [] for parameter in self.parameters]
        for combination in itertools.product(*listed):
            chosen: dict[str, Value] = {}
            for parameter, value in zip(self.parameters, combination, strict=True):
                if _applies(parameter, chosen):
                    chosen[parameter.name] = value
            yield tuple(chosen.items())

    def extract(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Return the choice behind a complete configuration: undo the filling in of defaults."""
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if _applies(parameter, chosen) and parameter.name in values:
                chosen[parameter.name] = values[parameter.name]
        return chosen

    def with_auto(self, chosen: Mapping[str, Value], name: str) -> dict[str, Value]:
        """Put the value that `auto` stood for back to `auto`, where only `auto` was offered."""
        parameter = self.find(name)
        offered = (parameter.values() if parameter else None) or []
        if "auto" in offered and chosen[name] not in offered:
            return {**chosen, name: "auto"}
        return dict(chosen)

    def distributions(self, chosen: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        """Return the distributions that a configuration's searched values were drawn from."""
        return {
            p.name: p.distribution
            for p in self.parameters
            if p.distribution is not None and p.name in chosen
        }

    def holds(self, chosen: Mapping[str, Value]) -> bool:
        """Return whether all chosen values lie in the space of today."""
        return all(
            _holds(parameter, chosen[parameter.name])
            for parameter in self.parameters
            if parameter.name in chosen
        )


def _holds(parameter: Parameter, value: Value) -> bool:
    distribution = parameter.distribution
    if distribution is None:
        return value == parameter.fixed
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (ValueError, TypeError):
        return False


def _ask(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=float(fstep)):
            value = trial.suggest_float(name, low, high, step=fstep)
            return Steps(low, high, fstep).nearest(value)
        case FloatDistribution(low=low, high=high, log=log):
            return trial.suggest_float(name, low, high, log=log)
    raise AssertionError(f"no such distribution in a spec: {distribution!r}")


def _draw(distribution: BaseDistribution, chance: random.Random) -> Value:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return chance.choice(choices)
        case IntDistribution(low=low, high=high, step=step, log=False):
            return chance.randrange(low, high + 1, step)
        case IntDistribution(low=low, high=high):
            return min(high, max(low, round(_log_uniform(low - 0.5, high + 0.5, chance))))
        case FloatDistribution(low=low, high=high, step=float(step)):
            return chance.choice(Steps(low, high, step))
        case FloatDistribution(low=low, high=high, log=log):
            return _log_uniform(low, high, chance) if log else chance.uniform(low, high)
    raise AssertionError(f"no such distribution in a spec: {distribution!r}")


def _log_uniform(low: float, high: float, chance: random.Random) -> float:
    return min(high, max(low, math.exp(chance.uniform(math.log(low), math.log(high)))))


def _applies(parameter: Parameter, chosen: Mapping[str, Value]) -> bool:
    when = parameter.when
    if when is None:
        return True
    return when.names <= chosen.keys() and bool(when(chosen))


def parse_parameter(name: str, written: Any) -> Parameter:
    """Read one parameter as a spec writes it.

    Raises:
        ValueError: the text cannot be read as a parameter; the message says what is wrong.
    """
    if isinstance(written, list | tuple):
        written = {"choices": list(written)}
    if not isinstance(written, dict):
        return Parameter(name=name, fixed=_scalar(written))
    options = dict(written)
    when = options.pop("when", None)
    step = options.pop("step", None)
    if len(options) != 1 or (kind := next(iter(options))) not in KINDS:
        hint = did_you_mean(next(iter(options)), KINDS) if len(options) == 1 else ""
        if {"min", "max"} <= options.keys():
            hint = "a range is written {uniform: [min, max]}"
        raise ValueError(f"needs exactly one of {', '.join(KINDS)}{hint and f' ({hint})'}")
    if step is not None and kind not in ("uniform", "int_uniform"):
        raise ValueError(f"step goes with uniform and int_uniform, not with {kind}")
    if when is not None and not isinstance(when, str):
        raise ValueError("when takes an expression in quotes")
    condition = None if when is None else parse_expression(when)
    value = options[kind]
    if kind == "fixed":
        return Parameter(name=name, fixed=_scalar(value), when=condition)
    if kind == "choices":
        return Parameter(name=name, distribution=_choices(value), when=condition)
    distribution = _range(kind, value, step)
    remark = ""
    if distribution.high != value[1]:
        remark = (
            f"{value[1]} cannot be reached from {value[0]} in steps of {step}; the highest value "
            f"is {distribution.high}"
        )
    return Parameter(name=name, distribution=distribution, when=condition, remark=remark)


def _scalar(value: Any) -> Value:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("needs a number, a text, true/false or null")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("needs a finite number")
    return value


def _choices(values: Any) -> CategoricalDistribution:
    if not isinstance(values, list | tuple) or not values:
        raise ValueError("needs a list with at least one choice")
    choices = [_scalar(value) for value in values]
    repeated = {value for value in choices if choices.count(value) > 1}
    if repeated:
        raise ValueError(f"the choice {min(repeated, key=str)!r} stands twice")
    return CategoricalDistribution(choices)


def _range(kind: str, bounds: Any, step: Any) -> FloatDistribution | IntDistribution:
    whole, log = "int" in kind, "log" in kind
    number = int if whole else (int, float)
    if (
        not isinstance(bounds, list | tuple)
        or len(bounds) != 2
        or any(isinstance(b, bool) or not isinstance(b, number) for b in bounds)
    ):
        raise ValueError(f"{kind} needs two {'whole ' if whole else ''}numbers: [low, high]")
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"an impossible range: low {low} must be below high {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range needs low above 0, found {low}")
    span = _exact(high) - _exact(low)
    if step is not None and (
        isinstance(step, bool) or not isinstance(step, number) or not 0 < _exact(step) <= span
    ):
        raise ValueError(f"step must lie between 0 and {span}, found {step!r}")
    if whole:
        step = int(step or 1)
        return IntDistribution(low, range(int(low), high + 1, step)[-1], log=log, step=step)
    if step is None:
        return FloatDistribution(float(low), float(high), log=log)
    steps = Steps(float(low), float(high), float(step))
    return FloatDistribution(steps.low, steps[-1], step=steps.step)
