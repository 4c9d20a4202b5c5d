"""Which values the fields of a configuration may have, said once, in their annotations.

A field's range stands in its type (`num_layers: Count = 2`); `check_fields` holds a configuration
to it, and the reference of hyperparameters prints it. Literals and booleans are ranges already.
"""

import ast
import functools
import inspect
import itertools
import math
import operator
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Final, Literal

from picosweep.pico.errors import FieldError, nearest


@dataclass(frozen=True)
class Range:
    """The values that a field may have."""

    allowed: str
    """The range in words."""
    contains: Callable[[Any], bool]
    choices: tuple[str, ...] = ()
    """The names there are, where it is a choice of names."""
    nullable: bool = False
    """Whether None is allowed, too."""
    problem: str = "out of range"
    """What is wrong with a value outside, in a few words."""
    bounds: tuple[tuple[str, float], ...] = ()
    """Of a number, by the names that JSON Schema has for them: `minimum`, `exclusiveMaximum`."""

    def holds(self, value: object) -> bool:
        """Return whether a field may have a value."""
        return (value is None and self.nullable) or self.contains(value)


def whole_number(least: int) -> Range:
    """Return the range of whole numbers from `least`."""

    def contains(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return Range(
        f"a whole number of at least {least}",
        contains,
        problem="too small",
        bounds=(("minimum", least),),
    )


def number(
    allowed: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> Range:
    """Return a range of finite numbers.

    Args:
        allowed: the range in words.
        least: the smallest number in it.
        above: the largest number that is too small.
        most: the largest number in it.
        below: the smallest number that is too large.
    """
    sides = {
        "minimum": (least, operator.ge),
        "exclusiveMinimum": (above, operator.gt),
        "maximum": (most, operator.le),
        "exclusiveMaximum": (below, operator.lt),
    }
    given = [(bound, holds) for bound, holds in sides.values() if bound is not None]

    def contains(value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return math.isfinite(value) and all(holds(value, bound) for bound, holds in given)

    bounds = tuple((name, bound) for name, (bound, _) in sides.items() if bound is not None)
    return Range(allowed, contains, bounds=bounds)


def one_of(*choices: str) -> Range:
    """Return a choice of names."""
    return Range("one of " + ", ".join(choices), lambda value: value in choices, choices)


Count = Annotated[int, whole_number(1)]
CountFromZero = Annotated[int, whole_number(0)]
Positive = Annotated[float, number("a finite number above 0", above=0)]
NotNegative = Annotated[float, number("a finite number of at least 0", least=0)]
Fraction = Annotated[float, number("a finite number from 0 to 1", least=0, most=1)]
Share = Annotated[float, number("a number from 0 up to (not including) 1", least=0, below=1)]

_FLAG: Final = Range("true or false", lambda value: isinstance(value, bool))


def ranges_of(config_class: type[Any]) -> Mapping[str, Range]:
    """Return the ranges of a configuration's fields; a field without one is left out."""
    return _ranges_of(config_class)  # type: ignore[arg-type] # a class is hashable


@functools.lru_cache(maxsize=64)
def _ranges_of(config_class: type[Any]) -> Mapping[str, Range]:
    hints = typing.get_type_hints(config_class, include_extras=True)
    found = {one.name: _range_of(hints[one.name]) for one in fields(config_class)}
    return {name: range_ for name, range_ in found.items() if range_ is not None}


def _range_of(hint: Any) -> Range | None:
    if typing.get_origin(hint) is Annotated:
        return next((one for one in typing.get_args(hint)[1:] if isinstance(one, Range)), None)
    if typing.get_origin(hint) is Literal:
        return one_of(*typing.get_args(hint))
    if hint is bool:
        return _FLAG
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        options = typing.get_args(hint)
        ranges = [found for option in options if (found := _range_of(option)) is not None]
        if len(ranges) == 1:
            return replace(ranges[0], nullable=type(None) in options)
    return None


def meanings_of(config_class: type[Any]) -> Mapping[str, str]:
    """Return what each field of a configuration means: the text that stands below it in the source.

    Empty where there is no source, as for a class that was made in a notebook.
    """
    meanings: dict[str, str] = {}
    for one in reversed(config_class.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(one))
        except (OSError, TypeError):
            continue
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.ClassDef)
        for statement, after in itertools.pairwise(definition.body):
            match statement, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    meanings[name] = " ".join(text.split())
    return meanings


def check_fields(config: Any) -> None:
    """Hold a configuration to the ranges of its fields.

    Raises:
        FieldError: a value lies outside.
    """
    for name, range_ in ranges_of(type(config)).items():
        check_value(name, getattr(config, name), range_)


def check_value(name: str, value: object, range_: Range) -> None:
    """Raise `FieldError` unless a value lies in a range."""
    if not range_.holds(value):
        near = nearest(value, range_.choices)
        raise FieldError(field=name, found=value, allowed=range_.allowed, near=near)


def check_divides(name: str, value: int, divisor_field: str, divisor: int) -> None:
    """Raise `FieldError` unless `divisor` divides `value`."""
    if value % divisor:
        allowed = f"a multiple of {divisor_field} ({divisor})"
        raise FieldError(field=name, found=value, allowed=allowed, involved=(divisor_field,))
