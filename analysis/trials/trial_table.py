"""Every trial, one row each, to sort, filter and search."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results
from picosweep.sweeps.store.tables import STATUSES

MAX_SETTINGS: Final = 14
MAX_ROWS: Final = 10_000
_FIXED: Final = (
    "trial_id", "architecture", "status", "cohort", "val_loss", "best_val_loss", "val_accuracy",
    "bits_per_byte", "num_params", "tokens", "flops", "seconds", "seed", "error",
)  # fmt: skip


def trials_table(
    trials: pl.DataFrame, settings: Sequence[str], column: str = "val_loss"
) -> pl.DataFrame:
    """Return the columns to show, trials at the highest rung and lowest loss first.

    Args:
        trials: the `trials` table.
        settings: hyperparameters to show, in the order of their columns.
        column: loss column to rank by.

    Returns:
        `sweep` where there are several, the usual columns (`error` only where there is one), the
        settings; one row per trial, at most 10,000.
    """
    several = ["sweep"] if trials["sweep"].n_unique() > 1 else []
    ranked = trials.sort(
        pl.col("rung").fill_null(-1), pl.col(column), "trial_id",
        descending=[True, False, False], nulls_last=True,
    )  # fmt: skip
    errors = [] if trials["error"].is_not_null().any() else ["error"]
    fixed = [name for name in _FIXED if name not in errors]
    return ranked.select(*several, *fixed, *settings).head(MAX_ROWS)


def trial_table_sentence(trials: pl.DataFrame) -> str:
    """Say how many trials there are of each status, and the commonest error."""
    counts = {status: trials.filter(status=status).height for status in STATUSES}
    parts = [f"{number:,} {status}" for status, number in counts.items() if number]
    text = f"{wording.plural(trials.height, 'trial')}: {wording.listing(parts)}."
    errors = trials["error"].drop_nulls().value_counts(sort=True)
    if errors.height:
        error, times = errors.row(0)
        text += (
            f" The commonest error, {wording.plural(times, 'time')}: {error.splitlines()[-1][:160]}"
        )
    if trials.height > MAX_ROWS:
        text += f" The best {MAX_ROWS:,} are listed."
    return text


def figure(results: Results) -> Figure:
    """Return the table of all trials as a figure."""
    varied = [name for names in results.varied.values() for name in names]
    settings = sorted(set(varied), key=lambda name: (-varied.count(name), name))[:MAX_SETTINGS]
    table = trials_table(results.trials, settings, results.metric.column)
    note = "Trials that got furthest come first, the lowest loss at the top."
    if len(set(varied)) > len(settings):
        note += f" {len(settings)} of {len(set(varied))} settings are shown."
    return Figure(
        key="trials",
        title="All trials",
        panels=(
            Panel(sentence=trial_table_sentence(results.trials), table=table, show_table=True),
        ),
        note=note,
    )
