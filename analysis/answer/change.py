"""The first screen of a comparison of two sweeps: is the later one better, and where?"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from picosweep.analysis.answer.answer import commands
from picosweep.analysis.answer.before_after import before_after_sentence, change_table
from picosweep.analysis.page import wording
from picosweep.analysis.page.first_screen import Answer, Tile
from picosweep.analysis.results import Results

_MAX_TILES: Final = 8


def change_answer(results: Results) -> Answer:
    """Return the first screen of a comparison: before or after; lower loss is better."""
    before, after = results.sweeps[0], results.sweeps[-1]
    table = change_table(results)
    sentence = before_after_sentence(table, before, after, results.metric)
    return Answer(
        verdict=change_verdict(table, before, after),
        winner=None,
        sentence=" ".join([sentence, *results.caveats]),
        tiles=tuple(_tile(row) for row in table.head(_MAX_TILES).iter_rows(named=True)),
        settings=(),
        defaults=(),
        commands=commands(_best_trial(results, after), results),
    )


def change_verdict(table: pl.DataFrame, before: str, after: str) -> str:
    """Say the change in one line; nothing is called better or worse that may be noise."""
    better, worse, unknown = (
        table.filter(verdict=verdict)["architecture"].to_list()
        for verdict in ("better", "worse", "unknown")
    )
    if table.is_empty():
        return f"{before} and {after} have nothing in common to compare"
    if better and worse:
        return (
            f"{after} is better for {wording.listing(better)}, worse for {wording.listing(worse)}"
        )
    if better or worse:
        name = f"{after} is better than {before}" if better else f"{after} is worse than {before}"
        clear = better or worse
        return name if len(clear) == table.height else f"{name} for {wording.listing(clear)}"
    if len(unknown) == table.height:
        return f"Nobody can say whether {after} is better than {before}"
    if not table.filter(verdict="luck of the search").is_empty():
        return f"{after} is not shown to be better or worse than {before}"
    return f"{before} and {after} cannot be told apart"


def _tile(row: Mapping[str, Any]) -> Tile:
    value = wording.signed(row["change"])
    if row["high"] is not None:
        value += f" ± {wording.significant(row['high'] - row['change'], 2)}"
    change = f"{wording.loss(row['before'])} to {wording.loss(row['after'])}"
    return Tile(label=row["architecture"], value=value, detail=f"{row['verdict']}: {change}")


def _best_trial(results: Results, sweep: str) -> str:
    """Return the trial of least loss among those that reached the highest rung."""
    ranked = results.trials.filter(sweep=sweep).sort(
        pl.col("rung").fill_null(-1), results.metric.column, descending=[True, False],
        nulls_last=True,
    )  # fmt: skip
    return str(ranked["trial_id"][0])
