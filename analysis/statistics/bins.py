"""Values of a setting as few bins, each with a name to show."""

from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from picosweep.analysis.page import wording

MAX_VALUES: Final = 8


NUM_BINS: Final = 5


def binned(values: pl.Series) -> pl.DataFrame:
    """Return a setting's values as ordered labels: themselves, or ranges of many numbers.

    More than eight different numbers become five ranges of equal counts.

    Returns:
        label and order (the label's position on an axis), row by row; null where the value is.
    """
    known = values.drop_nulls()
    if known.n_unique() <= MAX_VALUES or not values.dtype.is_numeric():
        levels = known.unique().sort().to_list()
        names = {level: wording.setting(level) for level in levels}
        return pl.DataFrame(
            {
                "label": [names.get(value) for value in values],
                "order": [levels.index(value) if value is not None else None for value in values],
            },
            schema={"label": pl.String, "order": pl.Int64},
        )
    edges = np.unique(np.quantile(known.to_numpy(), np.linspace(0, 1, NUM_BINS + 1)))
    position = np.clip(np.searchsorted(edges, values.to_numpy(), "right") - 1, 0, len(edges) - 2)
    ranges = [
        f"{wording.setting(float(low))} to {wording.setting(float(high))}"
        for low, high in pairwise(edges)
    ]
    return pl.DataFrame(
        {"label": [ranges[index] for index in position], "order": position}
    ).with_columns(pl.when(values.is_not_null()).then(pl.all()).name.keep())
