"""Numbers as people read them; every sentence and label of the report is made of these."""

import math
from collections.abc import Sequence
from typing import Final

ABSENT: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
_PREFIXES: Final = ((1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))


def without_place(text: str) -> str:
    """Return an absolute path's last part: where it lies is nobody's business; others as it is."""
    is_path = text.startswith(("/", "~/")) and "\n" not in text
    return text.rstrip("/").rpartition("/")[2] or text if is_path else text


def significant(value: float, digits: int = 3) -> str:
    """Write `digits` significant digits, without an exponent where a person would write none."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else ABSENT
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def count(value: float | None) -> str:
    """Write a count with a metric prefix: 1.23 M; whole numbers below 10,000 in full."""
    if value is None:
        return ABSENT
    if abs(value) < 10_000 and float(value).is_integer():
        return f"{value:,.0f}"
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{significant(value / size)}{prefix}"
    return significant(value)


def loss(value: float | None) -> str:
    """Write a loss with three decimals, as losses are usually written."""
    return ABSENT if value is None else f"{value:.3f}"


def signed(value: float, digits: int = 2) -> str:
    """Write a difference, always with its sign."""
    return f"{MINUS if value < 0 else '+'}{significant(abs(value), digits)}"


def percent(share: float | None) -> str:
    """Write a share between 0 and 1 as a percentage."""
    if share is None:
        return ABSENT
    decimals = 0 if share in {0, 1} or 0.0995 <= share <= 0.9905 else 1
    return f"{100 * share:.{decimals}f} %"


def flops(value: float | None) -> str:
    """Write floating-point operations with a metric prefix: 1.23 GFLOP."""
    if value is None:
        return ABSENT
    text = count(value)
    return f"{text}FLOP" if text[-1].isalpha() else f"{text} FLOP"


def duration(seconds: float | None) -> str:
    """Write a time in seconds, minutes or hours, whichever reads best."""
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{significant(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(num_bytes: float | None) -> str:
    """Write bytes with a binary prefix."""
    if num_bytes is None:
        return ABSENT
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if num_bytes >= 1024**power:
            return f"{significant(num_bytes / 1024**power)} {name}"
    return f"{num_bytes:.0f} B"


def number(value: object) -> float | None:
    """Return a column's least, largest or sum as a float; None where it is no number."""
    return float(value) if isinstance(value, int | float) else None


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Write a number with its noun: `1 trial`, `2 trials`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """Write a list as `a`, `a and b`, or `a, b and c`."""
    return (
        items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
    )


def setting(value: object) -> str:
    """Write a hyperparameter's value in short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return str(value)
