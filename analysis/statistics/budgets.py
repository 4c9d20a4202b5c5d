"""Reports of trials that stop at different places, brought to common budgets."""

import math
from collections.abc import Sequence
from typing import Final

import polars as pl

MAX_PLACES: Final = 40


NEAR: Final = 1.15


def by_budget(reports: pl.DataFrame) -> pl.DataFrame:
    """Return reports with `at`, the tokens rounded to at most 40 places.

    Trials that take steps of different sizes report at slightly different tokens. Such neighbours
    are one place, or every quantile would jump between the two kinds of trials.
    """
    places = reports["tokens"].drop_nulls().unique().sort()
    if len(places) <= MAX_PLACES:
        merged = _merged(reports, places.to_list())
    else:
        merged = _binned(places.filter(places > 0).to_list())
    placed = pl.col("tokens").replace_strict(merged, default=None, return_dtype=pl.Float64)
    return reports.with_columns(at=placed).filter(pl.col("at").is_not_null())


def _binned(places: Sequence[int]) -> dict[int, float]:
    """Return the middle of each place's bin; bins are equally wide on a logarithmic scale."""
    low, high = math.log(places[0]), math.log(places[-1])
    width = (high - low) / (MAX_PLACES - 1)
    return {
        place: math.exp(round((math.log(place) - low) / width) * width + low) for place in places
    }


def _merged(reports: pl.DataFrame, places: Sequence[int]) -> dict[int, float]:
    """Return for each place the largest of its near neighbours with which it shares no trial."""
    groups: list[list[int]] = []
    for place in places:
        group = groups[-1] if groups else []
        if group and 0 < place <= NEAR * group[0] and _apart(reports, [*group, place]):
            group.append(place)
        else:
            groups.append([place])
    return {place: float(group[-1]) for group in groups for place in group}


def _apart(reports: pl.DataFrame, places: Sequence[int]) -> bool:
    """Return whether no trial reported at two of the places."""
    ids = reports.filter(pl.col("tokens").is_in(places))["trial_id"]
    return ids.n_unique() == len(ids)
