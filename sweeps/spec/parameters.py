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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from picosweep.sweeps.spec.expressions import Expression, parse_expression

Value = bool | int | float | str
RANGES = ("uniform", "log_uniform", "int_uniform", "log_int_uniform")
KINDS = ("choices", "fixed", *RANGES)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One hyperparameter's values: a fixed one, or an Optuna distribution."""

    name: str
    fixed: Value | None = None
    distribution: BaseDistribution | None = None
    when: Expression | None = None

    def values(self) -> list[Value] | None:
        """Return every value it can take, or None where they cannot be listed."""
        if self.distribution is None:
            return [] if self.fixed is None else [self.fixed]
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return [choice for choice in choices if choice is not None]
            case IntDistribution(low=low, high=high, step=step):
                return list(range(low, high + 1, step))
            case FloatDistribution(low=low, high=high, step=float(step)):
                count = math.floor((high - low) / step + 1e-9) + 1
                return [low + index * step for index in range(count)]
        return None


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
            if parameter.fixed is not None:
                chosen[parameter.name] = parameter.fixed
            elif parameter.distribution is not None:
                chosen[parameter.name] = _ask(trial, parameter.name, parameter.distribution)
        return chosen

    def draw(self, chance: random.Random) -> dict[str, Value]:
        """Draw one configuration, without the bookkeeping of a study."""
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if not _applies(parameter, chosen):
                continue
            if parameter.fixed is not None:
                chosen[parameter.name] = parameter.fixed
            elif parameter.distribution is not None:
                chosen[parameter.name] = _draw(parameter.distribution, chance)
        return chosen

    def configurations(self, limit: int) -> list[dict[str, Value]] | None:
        """Return every configuration; None past `limit` or where the space is infinite."""
        counts = [parameter.values() for parameter in self.parameters]
        if any(values is None for values in counts):
            return None
        if math.prod(max(1, len(values or ())) for values in counts) > limit:
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
            if _applies(parameter, chosen) and values.get(parameter.name) is not None:
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
        """Return whether every searched value of a configuration lies in the space of today."""
        return all(
            _holds(distribution, chosen[name])
            for name, distribution in self.distributions(chosen).items()
        )


def _holds(distribution: BaseDistribution, value: Value) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (ValueError, TypeError):
        return False


def _ask(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    match distribution:
        case CategoricalDistribution(choices=choices):
            choice = trial.suggest_categorical(name, choices)
            assert choice is not None
            return choice
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=fstep, log=log):
            return trial.suggest_float(name, low, high, step=fstep, log=log)
    raise AssertionError(f"no such distribution in a spec: {distribution!r}")


def _draw(distribution: BaseDistribution, chance: random.Random) -> Value:
    match distribution:
        case CategoricalDistribution(choices=choices):
            choice = chance.choice(choices)
            assert choice is not None
            return choice
        case IntDistribution(low=low, high=high, step=step, log=False):
            return chance.randrange(low, high + 1, step)
        case IntDistribution(low=low, high=high):
            return min(high, max(low, round(_log_uniform(low - 0.5, high + 0.5, chance))))
        case FloatDistribution(low=low, high=high, step=float(step)):
            number = chance.randrange(math.floor((high - low) / step + 1e-9) + 1)
            return min(high, low + step * number)
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
    if isinstance(written, list):
        written = {"choices": written}
    if not isinstance(written, dict):
        return Parameter(name=name, fixed=_scalar(written))
    options = dict(written)
    when = options.pop("when", None)
    step = options.pop("step", None)
    if len(options) != 1 or (kind := next(iter(options))) not in KINDS:
        raise ValueError(f"needs exactly one of {', '.join(KINDS)}")
    if step is not None and kind not in ("uniform", "int_uniform"):
        raise ValueError(f"step goes with uniform and int_uniform, not with {kind}")
    if when is not None and not isinstance(when, str):
        raise ValueError("when takes an expression in quotes")
    condition = None if when is None else parse_expression(when)
    value = options[kind]
    if kind == "fixed":
        return Parameter(name=name, fixed=_scalar(value), when=condition)
    distribution = _choices(value) if kind == "choices" else _range(kind, value, step)
    return Parameter(name=name, distribution=distribution, when=condition)


def _scalar(value: Any) -> Value:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("needs a number, a text or true/false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("needs a finite number")
    return value


def _choices(values: Any) -> CategoricalDistribution:
    if not isinstance(values, list) or not values:
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
        not isinstance(bounds, list)
        or len(bounds) != 2
        or any(isinstance(b, bool) or not isinstance(b, number) for b in bounds)
    ):
        raise ValueError(f"{kind} needs two {'whole ' if whole else ''}numbers: [low, high]")
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"an impossible range: low {low} must be below high {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range needs low above 0, found {low}")
    if step is not None and (
        isinstance(step, bool) or not isinstance(step, number) or not 0 < step <= high - low
    ):
        raise ValueError(f"step must lie between 0 and {high - low}, found {step!r}")
    if whole:
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=log, step=step)
