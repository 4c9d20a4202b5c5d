"""Hyperparameters as the report's questions see them: columns of `trials` with names of their own.

Tables of the report put numbers of their own beside hyperparameters (`mean`, `rank`, …). A
hyperparameter that is called like one of them has its architecture before its name, as in the
stored tables: `mine/mean`.
"""

import json
from typing import Final

import polars as pl

from picosweep.sweeps.store.tables import FIXED_TRIAL_COLUMNS, OBJECTIVES

NONE: Final = "none"
"""How null is shown where it is a setting's value, such as `grad_clip: null`."""

_NAMES: Final = """
    all_share at axis b before best bin code correlation cost count density diagnosis draw end
    estimate example expected final fit fitted gain gap happened height high label last least
    level light line loss losses low mean measure median membership minutes most n on_front
    order p_value part place plot q10 q25 q75 q90 rank ratio raw reach reached reached_after
    reports residual rise saved scaled sd seeds set setting share span spent spread std_error
    stopped t term text top training trials twin used validation value values what worst x x2
    x_order y y2 y_order
"""
DERIVED: Final = frozenset({"val_error", *(f"negative_{name}" for name in OBJECTIVES)})
"""Columns of a trial that follow from stored ones."""

RESERVED: Final = frozenset(_NAMES.split()) | DERIVED
"""Columns that the report's tables add to a trial's; a test finds them in the code."""


def setting_names(trials: pl.DataFrame) -> list[str]:
    """Return the columns of `trials` that are hyperparameters."""
    return [n for n in trials.columns if n not in FIXED_TRIAL_COLUMNS and n not in DERIVED]


def named_settings(trials: pl.DataFrame) -> pl.DataFrame:
    """Return trials whose hyperparameters are called like no other column.

    Where null is one of an architecture's values, its column shows texts, `none` among them.
    """
    settings = [name for name in trials.columns if name not in FIXED_TRIAL_COLUMNS]
    found = trials.drop(settings)
    for name in settings:
        known = trials.filter(pl.col(name).is_not_null())
        owners = known["architecture"].unique(maintain_order=True).to_list()
        with_null = [owner for owner in owners if _is_null_a_value(trials, owner, name)]
        if name in RESERVED or (with_null and len(owners) > 1):
            columns = [
                _of(owner, name, is_null_a_value=owner in with_null).alias(f"{owner}/{name}")
                for owner in owners
            ]
        elif with_null:
            columns = [_of(owners[0], name, is_null_a_value=True).alias(name)]
        else:
            columns = [pl.col(name)]
        found = found.hstack(trials.select(columns))
    return found


def _of(architecture: str, name: str, *, is_null_a_value: bool) -> pl.Expr:
    """Return one architecture's values of a setting, with those of the others as null."""
    column = pl.col(name)
    if is_null_a_value:
        column = column.cast(pl.String).fill_null(NONE)
    return pl.when(pl.col("architecture") == architecture).then(column)


def _is_null_a_value(trials: pl.DataFrame, architecture: str, name: str) -> bool:
    """Return whether some configuration of an architecture holds null, and is not just older."""
    unknown = trials.filter(pl.col("architecture") == architecture, pl.col(name).is_null())
    for text in unknown["config"].drop_nulls():
        try:
            config = json.loads(text)
            parts = [config["model"], config["training"]]
        except (ValueError, KeyError, TypeError):
            continue
        plain = name.removeprefix(f"{architecture}/")
        if any(plain in part and part[plain] is None for part in parts):
            return True
    return False
