"""Numbers and times in a form for people."""

from typing import Any


def short(value: Any) -> str:
    """Return a hyperparameter's value in few characters."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Return a time in two units at most: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def counted(number: int, what: str) -> str:
    """Return a number of things: `1 trial`, `12 trials`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
