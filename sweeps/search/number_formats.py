"""Which number format `precision: auto` means for a configuration: that of the nearest measured.

Whether a lower precision is faster depends on how wide a model's matrices are and on how many
tokens one pass takes. On one CPU a step in bf16 took, over one in fp32, 1.12 to .30 of the time for
Transformers and 1.03 to .32 for K-grams, less with size and batch, and 1.05 to .55 for LSTMs, where
the batch decides and the width hardly matters. So no one answer holds for a space. A few of its
configurations are measured, spread over model size and tokens a pass, then more of them where the
answer changes; every configuration takes the format of the nearest one, in factors of both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from picosweep.pico.training.auto_precision import fastest
from picosweep.pico.training_config import PrecisionName

SPREAD: Final = 4
"""Configurations that are measured, whatever comes out."""
MOST: Final = 10
"""Configurations that are measured at most, of one architecture."""
NEAR: Final = 0.5
"""How near, in factors of two, a configuration's neighbours must be for it not to be measured."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a configuration lies among others."""

    num_params: int
    tokens: int
    """Tokens of one forward pass: a micro-batch."""

    def distance(self, other: "Place") -> float:
        """Return how far another one lies, in factors of two."""
        return math.hypot(
            math.log2(max(1, self.num_params) / max(1, other.num_params)),
            math.log2(self.tokens / other.tokens),
        )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One configuration that was measured."""

    place: Place
    seconds: Mapping[PrecisionName, float]
    """Of one training step in each format; empty where it could not be measured."""

    @property
    def taken(self) -> PrecisionName:
        """The fastest format, or `fp32` where none is clearly faster."""
        return fastest(self.seconds) if "fp32" in self.seconds else "fp32"


@dataclass(frozen=True, kw_only=True)
class NumberFormats:
    """What `precision: auto` means for the configurations of one architecture."""

    measured: tuple[Measured, ...]

    def at(self, place: Place) -> PrecisionName:
        """Return the format for a configuration: that of the nearest measured one."""
        return min(self.measured, key=lambda one: place.distance(one.place)).taken

    def to_json(self) -> list[dict[str, Any]]:
        """Return it in plain JSON types, one entry a measured configuration."""
        return [
            {**vars(one.place), "seconds": dict(one.seconds), "taken": one.taken}
            for one in self.measured  # in their order, which decides between two as near
        ]

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Return what `to_json` gave, or what earlier versions kept: one format for all.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(content, str):
            content = [{"num_params": 1, "tokens": 1, "seconds": {"fp32": 1.0, content: 0.5}}]
        try:
            measured = tuple(
                Measured(
                    place=Place(num_params=int(one["num_params"]), tokens=int(one["tokens"])),
                    seconds={name: float(seconds) for name, seconds in one["seconds"].items()},
                )
                for one in content
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no table of number formats: {content!r}") from error
        if not measured:
            raise ValueError("a table of number formats without an entry")
        return cls(measured=measured)


def next_to_measure(places: Sequence[Place], measured: Sequence[Measured]) -> int | None:
    """Return which place to measure next, None where enough is known.

    First the cheapest and the dearest, then the one that lies furthest from all measured ones;
    then the one whose nearest neighbours of two formats are about equally near, and not at hand.

    Args:
        places: where the configurations lie that can be measured.
        measured: what was measured before.
    """
    known = {one.place for one in measured}
    open_places = [number for number, place in enumerate(places) if place not in known]
    if not open_places or len(known) >= MOST:
        return None
    if len(known) < 2:
        ordered = sorted(open_places, key=lambda n: places[n].num_params * places[n].tokens)
        return ordered[-1] if known else ordered[0]
    if len(known) < SPREAD:
        return max(open_places, key=lambda n: min(places[n].distance(place) for place in known))
    undecided = {number: _doubt(places[number], measured) for number in open_places}
    worst = max(undecided, key=lambda number: undecided[number])
    return worst if undecided[worst] > NEAR else None


def _doubt(place: Place, measured: Sequence[Measured]) -> float:
    """Return how far the nearest neighbour is, less half of what the other format's is further."""
    nearest: dict[PrecisionName, float] = {}
    for one in measured:
        distance = place.distance(one.place)
        nearest[one.taken] = min(distance, nearest.get(one.taken, math.inf))
    if len(nearest) < 2:
        return 0.0
    first, second = sorted(nearest.values())[:2]
    return first - (second - first) / 2
