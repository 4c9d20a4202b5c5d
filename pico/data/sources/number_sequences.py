"""Sequences of whole numbers made when they are read: tasks with a known answer.

Each family is a function of a random generator that draws one sequence; `numbers:families` is the
three classic ones in equal parts. `numbers:recall` asks for what stood before: multi-query
associative recall, as in Arora et al. 2023, https://arxiv.org/abs/2312.04927, section 4. Words are
separated by spaces, ready for the `int` tokenizer.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np

from picosweep.pico.data.config import NumbersConfig
from picosweep.pico.data.sources.source import Source
from picosweep.pico.errors import FieldError, nearest

Family = Callable[[np.random.Generator, NumbersConfig], list[int]]

PREFIX = "numbers:"

_LARGEST_FIRST_EXPONENT = 32
_NUMBERS_PER_RECALLED = 4
"""A key and its value, told and asked for."""


def _count(random: np.random.Generator, length: int, least: int, most: int) -> list[int]:
    first = int(random.integers(least, most - length + 2))
    return list(range(first, first + length))


def _counting(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    return _count(random, config.length, 0, config.max_value)


def _counting_low(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    """Return a count that stays below the middle."""
    return _count(random, config.length, 0, config.max_value // 2)


def _counting_high(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    """Return a count that stays above the middle."""
    return _count(random, config.length, config.max_value // 2 + 1, config.max_value)


def _even(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    first = 2 * int(random.integers(0, config.max_value // 2 - config.length + 2))
    return list(range(first, first + 2 * config.length, 2))


def _powers_of_two(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    first = int(random.integers(0, _LARGEST_FIRST_EXPONENT + 1))
    return [2**exponent for exponent in range(first, first + config.length)]


def _arithmetic(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    step = int(random.integers(1, config.max_value // (config.length - 1) + 1))
    span = step * (config.length - 1)
    first = int(random.integers(0, config.max_value - span + 1))
    numbers = list(range(first, first + span + 1, step))
    return numbers[::-1] if random.integers(2) else numbers


def _geometric(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    ratio = int(random.integers(2, 6))
    numbers = [int(random.integers(1, config.max_value // ratio**2 + 1))]
    while len(numbers) < config.length and numbers[-1] * ratio <= config.max_value:
        numbers.append(numbers[-1] * ratio)
    return numbers


def _alternating(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    pair = random.choice(config.max_value + 1, size=2, replace=False).tolist()
    return [pair[place % 2] for place in range(config.length)]


def _random_walk(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    number = int(random.integers(0, config.max_value + 1))
    numbers = [number]
    for up in random.integers(2, size=config.length - 1).tolist():
        step = 1 if up else -1
        # Reflected at both ends.
        number += step if 0 <= number + step <= config.max_value else -step
        numbers.append(number)
    return numbers


def _recall(random: np.random.Generator, config: NumbersConfig) -> list[int]:
    """Return pairs of a key and a value, then the keys in another order, each with its value."""
    count = config.length // _NUMBERS_PER_RECALLED
    half = (config.max_value + 1) // 2
    keys = random.choice(half, size=count, replace=False)
    values = half + random.integers(0, config.max_value + 1 - half, size=count)
    order = random.permutation(count)
    told = np.stack([keys, values], axis=1)
    return [int(number) for number in np.concatenate([told, told[order]]).ravel()]


FAMILIES: dict[str, Family] = {
    "counting": _counting,
    "counting_low": _counting_low,
    "counting_high": _counting_high,
    "arithmetic": _arithmetic,
    "geometric": _geometric,
    "alternating": _alternating,
    "random_walk": _random_walk,
    "recall": _recall,
    "consecutive": _counting,
    "even": _even,
    "powers_of_two": _powers_of_two,
}

_GROUPS = {"families": ("consecutive", "even", "powers_of_two")}

_LEAST_MAX_VALUE: dict[str, Callable[[int], int]] = {
    "counting": lambda length: length - 1,
    "consecutive": lambda length: length - 1,
    "counting_low": lambda length: 2 * (length - 1),
    "counting_high": lambda length: 2 * length - 1,
    "arithmetic": lambda length: length - 1,
    "even": lambda length: 2 * (length - 1),
    "families": lambda length: 2 * (length - 1),
    "geometric": lambda _length: 25,
    # As many keys as pairs, and as many values again.
    "recall": lambda length: 2 * (length // _NUMBERS_PER_RECALLED) - 1,
}
"""By length, the least `max_value` that leaves room for a sequence; a geometric one has at least
three numbers. Families not named here always fit."""


def number_source(name: str, config: NumbersConfig) -> Source:
    """Return the source `numbers:<family>`.

    Raises:
        FieldError: there is no such family, or its sequences do not fit below `max_value`.
    """
    family = name.removeprefix(PREFIX)
    names = [*FAMILIES, *_GROUPS]
    if family not in names:
        raise FieldError(
            "unknown number sequences",
            field="data.source",
            near=nearest(family, names),
            found=repr(name),
            allowed=", ".join(PREFIX + known for known in names),
        )
    least = _LEAST_MAX_VALUE.get(family)
    needed = least(config.length) if least else 1
    if config.max_value < needed:
        raise FieldError(
            f"too small for {family!r} sequences of {config.length} numbers",
            field="data.numbers.max_value",
            found=config.max_value,
            allowed=f"at least {needed}",
        )
    draws = [FAMILIES[member] for member in _GROUPS.get(family, (family,))]

    def documents() -> Iterator[str]:
        random = np.random.default_rng(config.seed)
        for index in range(config.num_sequences):
            yield " ".join(map(str, draws[index % len(draws)](random, config)))

    return Source(
        description=f"{config.num_sequences} {family} number sequences",
        signature=(name, asdict(config), np.__version__),
        documents=documents,
    )
