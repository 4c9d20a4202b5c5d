"""Hyperparameters as the report's questions see them: columns of `trials` with names of their own.

Tables of the report put numbers of their own beside hyperparameters (`mean`, `rank`, …). A
hyperparameter that is called like one of them has its architecture before its name, as in the
stored tables: `mine/mean`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from picosweep.sweeps.store.tables import FIXED_TRIAL_COLUMNS, OBJECTIVES

NONE: Final = "none"
"""How null is shown where it is a setting's value, such as `grad_clip: null`."""

_NAMES: Final = """
    adjusted admitted against at axis b before best bin clear code correlation cost count
    density diagnosis doomed doublings draw end estimate example final fit fitted front gain gap
    happened height high label last least level light line loss losses low mean measure median
    membership minutes most num_texts number on_front order own p_value panel place plot q10 q25
    q75 q90 quicker rank ratio raw reach reached reached_after repetition repetition_before reports
    residual rise saved scaled sd seeds set setting share span spent spread std_error stopped t
    term text top training trials twin used validation value values what worst x x2 x_order y y2
    y_order
"""
COMPLEMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "val_accuracy": ("val_error", "validation error"),
    "preference_accuracy": ("preference_error", "preference error"),
    "suite_score": ("suite_shortfall", "suite shortfall"),
    "code_pass": ("code_failure", "share of functions that fail"),
}
"""For shares that are to be large: the column that is small then, and what a sentence calls it."""
DERIVED: Final = frozenset(
    {*(column for column, _ in COMPLEMENTS.values()), *(f"negative_{name}" for name in OBJECTIVES)}
)
"""Columns of a trial that follow from stored ones."""

RESERVED: Final = frozenset(_NAMES.split()) | DERIVED
"""Columns that the report's tables add to a trial's; a test finds them in the code."""


def setting_names(trials: pl.DataFrame) -> list[str]:
    """Return the columns of `trials` that are hyperparameters."""
    return [n for n in trials.columns if n not in FIXED_TRIAL_COLUMNS and n not in DERIVED]


def named_settings(trials: pl.DataFrame) -> pl.DataFrame:
    """Return trials whose hyperparameters are called like no other column, each of one type.

    Where null is one of an architecture's values, its column shows texts, `none` among them. A
    name that has several types is a column for each architecture, where that gives it one.
    """
    settings = [name for name in trials.columns if name not in FIXED_TRIAL_COLUMNS]
    places: dict[str, list[int]] = {}
    for place, architecture in enumerate(trials["architecture"]):
        places.setdefault(architecture, []).append(place)
    configs = [_flat(text) for text in trials["config"]]
    found = trials.drop(settings)
    for name in settings:
        column = trials[name]
        apart, changed = {}, False
        for architecture, own in places.items():
            written = column.gather(own)
            if written.null_count() == written.len():
                continue
            plain = name.removeprefix(f"{architecture}/")
            trained = [configs[place].get(plain, _UNKNOWN) for place in own]
            retyped = _retyped(written, trained)
            changed |= retyped is not None
            apart[architecture] = _spread(written if retyped is None else retyped, own, column)
        if name in RESERVED or (changed and len(apart) > 1):
            found = found.with_columns(
                values.alias(f"{architecture}/{name}") for architecture, values in apart.items()
            )
        else:
            found = found.with_columns(
                next(iter(apart.values())).alias(name) if changed else column
            )
    return found


_UNKNOWN: Final = object()


def _flat(config: str | None) -> dict[str, Any]:
    """Return the hyperparameters of a stored configuration."""
    try:
        stored = json.loads(config or "")
        return {**stored["model"], **stored["training"], **(stored.get("preference") or {})}
    except (ValueError, KeyError, TypeError):
        return {}


def _retyped(written: pl.Series, trained: Sequence[object]) -> pl.Series | None:
    """Return one architecture's values of a setting, None where the table has them as they are.

    Args:
        written: the values as the table has them.
        trained: the same as the configurations have them, `_UNKNOWN` where they do not know them.
    """
    kinds = {type(value) for value in trained if value is not _UNKNOWN}
    if type(None) in kinds and len(kinds) > 1:  # null is a value, and not just older than the name
        texts = written.cast(pl.String)
        return pl.Series(
            [NONE if value is None else text for text, value in zip(texts, trained, strict=True)]
        )
    if written.dtype != pl.String:
        return None
    if kinds and kinds <= {int, float}:
        known = [None if value is _UNKNOWN else value for value in trained]
        return pl.Series(known, dtype=pl.Float64, strict=False)
    if kinds == {bool}:
        return pl.Series(trained, dtype=pl.Boolean)
    return None


def _spread(values: pl.Series, places: Sequence[int], column: pl.Series) -> pl.Series:
    """Return a column with values at some places and null elsewhere."""
    spread: list[Any] = [None] * column.len()
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return pl.Series(spread, dtype=values.dtype)
