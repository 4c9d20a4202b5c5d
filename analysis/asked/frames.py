"""What trained models answered, and which of them a figure shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pyarrow as pa

from picosweep.analysis.page.figure import Panel
from picosweep.sweeps.store.tables import ASKED_TABLES, TABLES

ANSWERS: Final = tuple(name for name in ASKED_TABLES if name != "samples")
"""The tables that figures of this folder are made from."""
ALL_SHOWN: Final = 4
"""Up to so many trials are all shown; of more, the best of each architecture."""
MAX_TRIALS: Final = 8
"""Most trials that one figure shows."""
FACTS: Final = (
    "trial_id", "sweep", "architecture", "num_params", "tokens", "seconds", "tokens_per_second",
    "peak_memory_bytes", "val_loss", "bits_per_byte",
)  # fmt: skip
"""What a table beside scores says of a trial."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The tables of answers, each with the trial's `architecture` and a short `name`."""

    trials: pl.DataFrame
    """One row for each trial that answered anything: `FACTS` and `name`, the best first."""
    tables: Mapping[str, pl.DataFrame]
    """By the name of the table."""

    @classmethod
    def of(
        cls, trials: pl.DataFrame, tables: Mapping[str, pl.DataFrame], order: str = "val_loss"
    ) -> "Asked":
        """Join answers and the trials that gave them.

        Args:
            trials: rows with the columns of `FACTS`.
            tables: rows by table, as they are stored.
            order: column by which the best trial comes first, least is best.
        """
        tables = {name: tables.get(name, _frame((), TABLES[name])) for name in ANSWERS}
        answered = {one for frame in tables.values() for one in frame["trial_id"].to_list()}
        known = trials.filter(pl.col("trial_id").is_in(sorted(answered))).unique(
            "trial_id", keep="last", maintain_order=True
        )
        ranked = known.sort(order, nulls_last=True, maintain_order=True).select(FACTS)
        names = short_names(ranked["architecture"].to_list(), ranked["trial_id"].to_list())
        named = ranked.with_columns(name=pl.Series(names, dtype=pl.String))
        owners = named.select("trial_id", "name", "architecture")
        return cls(
            trials=named,
            tables={
                table: frame.unique(maintain_order=True).join(
                    owners, on="trial_id", how="inner", maintain_order="left"
                )
                for table, frame in tables.items()
            },
        )

    @classmethod
    def of_rows(
        cls, trials: Iterable[Mapping[str, Any]], rows: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> "Asked":
        """Return answers that were not read from a folder.

        Args:
            trials: rows of `trials`, which keep their order.
            rows: rows by table.
        """
        wanted = pa.schema([TABLES["trials"].field(name) for name in FACTS])
        listed = [{name: row.get(name) for name in FACTS} for row in trials]
        frame = _frame(listed, wanted).with_row_index("order")
        tables = {name: _frame(rows.get(name, ()), TABLES[name]) for name in ANSWERS}
        return cls.of(frame, tables, order="order")

    def latest(self, table: str) -> pl.DataFrame:
        """Return each trial's rows of a table at its last step there."""
        frame = self.tables[table]
        return frame.filter(pl.col("step") == pl.col("step").max().over("trial_id"))

    def shown(self, frame: pl.DataFrame) -> list[str]:
        """Return the trials of a frame that a figure shows, the best first."""
        there = self.trials.filter(pl.col("trial_id").is_in(frame["trial_id"].unique().to_list()))
        if there.height > ALL_SHOWN:
            there = there.unique("architecture", keep="first", maintain_order=True)
        return there["trial_id"].to_list()[:MAX_TRIALS]

    def of_shown(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a frame that are of the trials shown, the best trial's first."""
        ranks = {trial_id: rank for rank, trial_id in enumerate(self.shown(frame))}
        place = pl.col("trial_id").replace_strict(ranks, default=None, return_dtype=pl.Int64)
        kept = frame.with_columns(place.alias("rank")).filter(pl.col("rank").is_not_null())
        return kept.sort("rank", maintain_order=True).drop("rank")

    def panels(
        self, frame: pl.DataFrame, panel_of: Callable[[str, pl.DataFrame], Panel]
    ) -> tuple[Panel, ...]:
        """Return a panel for each trial that a figure shows.

        Args:
            frame: rows of the figure's table.
            panel_of: function that makes it of a trial's name and rows.
        """
        shown = self.of_shown(frame).partition_by("trial_id", maintain_order=True)
        return tuple(panel_of(own["name"][0], own) for own in shown if not own.is_empty())

    @property
    def is_empty(self) -> bool:
        """Whether nothing was answered."""
        return self.trials.is_empty()


def _frame(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pl.DataFrame:
    listed = [dict(row) for row in rows]
    return pl.DataFrame(pa.Table.from_pylist(listed, schema=schema))


def short_names(architectures: Sequence[str], trial_ids: Sequence[str]) -> list[str]:
    """Return each trial's architecture with as much of its id as tells them all apart."""
    length = 4
    while length < 16 and len({one[:length] for one in trial_ids}) < len(set(trial_ids)):
        length += 1
    return [f"{a} {one[:length]}" for a, one in zip(architectures, trial_ids, strict=True)]
