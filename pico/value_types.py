"""Which plain values a type hint allows: what a spec can give, and a table can hold."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Final

PLAIN_TYPES: Final = (bool, int, float, str, type(None))
"""What YAML, JSON and a table's cell can all hold."""

_NAMES: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "null",
}


def is_plain(value: object) -> bool:
    """Return whether a spec can write this value."""
    return type(value) in PLAIN_TYPES


def fits(value: object, hint: Any) -> bool:
    """Return whether a plain value is of a type; a whole number is a number, true is none."""
    if hint is object:
        return is_plain(value)
    if typing.get_origin(hint) is typing.Literal:
        return any(
            value == choice and type(value) is type(choice) for choice in typing.get_args(hint)
        )
    if _is_union(hint):
        return any(fits(value, option) for option in typing.get_args(hint))
    return type(value) is hint or (type(value) is int and hint is float)


def is_real(hint: Any) -> bool:
    """Return whether a type holds real numbers and no whole ones: 1 is then written 1.0."""
    options = typing.get_args(hint) or (hint,)
    return float in options and int not in options


def name_of(hint: Any) -> str:
    """Return what a message calls the values of a type."""
    if hint is object:
        return "a number, a text, true, false or null"
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if _is_union(hint):
        return " or ".join(name_of(option) for option in typing.get_args(hint))
    return _NAMES.get(hint, str(hint))


def resolve_hint(function: Callable[..., Any], annotation: Any) -> Any:
    """Return what an annotation of a function means; `object` where that cannot be told.

    Each is looked at alone: one whose name is imported for type checkers only says nothing, and
    the others what they say.
    """
    if annotation is inspect.Parameter.empty:
        return object
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    try:
        return typing.get_type_hints(holder, globalns=getattr(function, "__globals__", {}))["hint"]
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return object


def writable_part(hint: Any) -> Any | None:
    """Return the part of a type that plain values can have; None where there is none.

    `object` stands for any plain value: so does `Any`, and a type variable.
    """
    if hint in (Any, object) or isinstance(hint, typing.TypeVar):
        return object
    if isinstance(hint, typing.NewType):
        return writable_part(hint.__supertype__)
    if typing.get_origin(hint) is typing.Literal:
        choices = tuple(choice for choice in typing.get_args(hint) if is_plain(choice))
        return typing.Literal[choices] if choices else None
    if _is_union(hint):
        parts = [writable_part(option) for option in typing.get_args(hint)]
        found = tuple(part for part in parts if part is not None)
        # null alone is no choice: it says that the class's default stays.
        return typing.Union[found] if set(found) - {type(None)} else None  # noqa: UP007
    if isinstance(hint, type) and hint.__module__ == "numbers":
        return typing.Union[int, float]  # noqa: UP007 # as hints are compared elsewhere
    return hint if hint in PLAIN_TYPES else None


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
