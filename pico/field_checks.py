"""Checks for configuration fields: each raises a `FieldError` with what was found and allowed."""

from collections.abc import Iterable

from picosweep.pico.errors import FieldError, nearest


def check_count(field: str, value: object, minimum: int = 1) -> None:
    """Raise `FieldError` unless `value` is a whole number of at least `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise _bad(field, value, f"a whole number of at least {minimum}")


def check_positive(field: str, value: object) -> None:
    """Raise `FieldError` unless `value` is a finite number above 0."""
    if not _is_number(value) or not 0 < value < float("inf"):  # type: ignore[operator]
        raise _bad(field, value, "a finite number above 0")


def check_share(field: str, value: object) -> None:
    """Raise `FieldError` unless `value` is a number from 0 up to, but not including, 1."""
    if not _is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
        raise _bad(field, value, "a number from 0 up to (not including) 1")


def check_flag(field: str, value: object) -> None:
    """Raise `FieldError` unless `value` is true or false."""
    if not isinstance(value, bool):
        raise _bad(field, value, "true or false")


def check_choice(field: str, value: object, choices: Iterable[str]) -> None:
    """Raise `FieldError` unless `value` is one of `choices`."""
    allowed = tuple(choices)
    if value not in allowed:
        one_of = "one of " + ", ".join(allowed)
        raise FieldError(field=field, found=value, allowed=one_of, near=nearest(value, allowed))


def check_divides(field: str, value: int, divisor_field: str, divisor: int) -> None:
    """Raise `FieldError` unless `divisor` divides `value`."""
    if value % divisor:
        allowed = f"a multiple of {divisor_field} ({divisor})"
        raise FieldError(field=field, found=value, allowed=allowed, involved=(divisor_field,))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bad(field: str, value: object, allowed: str) -> FieldError:
    return FieldError(field=field, found=value, allowed=allowed)
