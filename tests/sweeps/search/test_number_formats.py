"""Which configurations are measured for `precision: auto`, and what follows for the others."""

import itertools
import math
from collections.abc import Callable

import pytest

from picosweep.sweeps.search.number_formats import (
    MOST,
    SPREAD,
    Measured,
    NumberFormats,
    Place,
    next_to_measure,
)

GRID = [
    Place(num_params=params, tokens=tokens)
    for params, tokens in itertools.product((2**n for n in range(14, 24)), (256, 1024, 4096))
]
Gain = Callable[[Place], float]


def _measure(gain: Gain) -> NumberFormats:
    measured: list[Measured] = []
    while (number := next_to_measure(GRID, measured)) is not None:
        place = GRID[number]
        measured.append(Measured(place=place, seconds={"fp32": 1.0, "bf16": 1 / gain(place)}))
    return NumberFormats(measured=tuple(measured))


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_one_answer_everywhere_costs_the_fewest_measurements(gain: float) -> None:
    """Where the corners agree, nothing between them is measured."""
    formats = _measure(lambda _: gain)
    assert len(formats.measured) == SPREAD
    assert {formats.at(place) for place in GRID} == {"bf16" if gain > 1 else "fp32"}


@pytest.mark.parametrize("border", [15, 16, 17, 18, 19.5, 20, 21, 22])
@pytest.mark.parametrize("tokens_count", [False, True])
def test_a_border_is_found_with_a_few_measurements(border: float, tokens_count: bool) -> None:
    """Wherever size, or size and batch, decide: little time is lost to the wrong format.

    The gain is one at the border and changes by two with each fourfold size.
    """

    def gain(place: Place) -> float:
        both = math.log2(place.num_params) + tokens_count * math.log2(place.tokens / 1024)
        return float(2 ** ((both - border) / 2))

    formats = _measure(gain)
    assert len(formats.measured) <= MOST
    lost = [
        (1 / gain(place) if formats.at(place) == "bf16" else 1) / min(1, 1 / gain(place))
        for place in GRID
    ]
    assert sum(lost) / len(lost) < 1.1
    one_answer = min(
        sum(max(1, gain(place)) for place in GRID), sum(max(1, 1 / gain(place)) for place in GRID)
    )
    assert sum(lost) < one_answer


def test_a_small_gain_is_none() -> None:
    """A lower precision costs quality, and noise is a few percent."""
    place = Place(num_params=1000, tokens=64)
    assert Measured(place=place, seconds={"fp32": 1.04, "bf16": 1.0}).taken == "fp32"
    assert Measured(place=place, seconds={"fp32": 1.06, "bf16": 1.0}).taken == "bf16"
    assert Measured(place=place, seconds={}).taken == "fp32"


def test_formats_come_back_from_their_file() -> None:
    """A resumed sweep gives every configuration the format that it had."""
    formats = _measure(lambda place: place.num_params / 2**18)
    again = NumberFormats.from_json(formats.to_json())
    assert [again.at(place) for place in GRID] == [formats.at(place) for place in GRID]
    large, small = Place(num_params=4096, tokens=64), Place(num_params=1024, tokens=64)
    between = Place(num_params=2048, tokens=64)
    two = NumberFormats(
        measured=(
            Measured(place=large, seconds={"fp32": 2.0, "bf16": 1.0}),
            Measured(place=small, seconds={"fp32": 1.0, "bf16": 2.0}),
        )
    )
    assert NumberFormats.from_json(two.to_json()).at(between) == two.at(between) == "bf16"


@pytest.mark.parametrize("content", [[], {}, 3, [{"tokens": 3}], [{"seconds": 2}], [None]])
def test_a_damaged_table_is_refused(content: object) -> None:
    """No trial is given another identity because of it."""
    with pytest.raises(ValueError, match="number formats"):
        NumberFormats.from_json(content)
