"""From the result tables of one or several sweeps to one `Results`.

Whatever a folder lacks (a column, a table, the spec) is filled with nulls or left empty, so that
every question can be asked of every folder; only a folder without any trial file is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.settings import COMPLEMENTS, named_settings, setting_names
from picosweep.sweeps.store.columns import ALL
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.tables import (
    ASKED_TABLES,
    OBJECTIVES,
    PER_TOKEN,
    REPORTS,
    TABLES,
    TRIALS,
    short_id,
)

MEASURED: Final = frozenset(OBJECTIVES) & frozenset(REPORTS.names)
FULL_STATUSES: Final = ("completed", "cached")


class ResultsError(ValueError):
    """A results folder that cannot be read, with what was found and what is expected."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The loss by which trials are ranked; smaller is better."""

    column: str
    """Name in the `trials` and `reports` tables."""
    label: str
    """Axis title, with the unit."""
    noun: str
    """What a sentence calls it."""
    values: pl.Expr | None = None
    """How the column follows from a stored one; None where it is stored."""

    @classmethod
    def of(cls, name: str, goal: str) -> "Metric":
        """Return what is to be as small as possible where a stored column has a goal.

        Args:
            name: column of `reports`.
            goal: `minimize` or `maximize`.
        """
        column = ALL[name]
        unit = f" ({column.unit})" if column.unit else ""
        label = f"{column.noun.capitalize()}{unit}"
        if goal == "minimize":
            return cls(column=name, label=label, noun=column.noun)
        if name in COMPLEMENTS:
            error, noun = COMPLEMENTS[name]
            label = f"{noun.capitalize()} (1 - {column.noun})"
            return cls(column=error, label=label, noun=noun, values=1 - pl.col(name))
        return cls(
            column=f"negative_{name}",
            label=f"Negative {column.noun}{unit}",
            noun=f"negative {column.noun}",
            values=-pl.col(name),
        )

    def add_to(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a table with the column, where it has the stored one."""
        if self.values is None:
            return frame
        return frame.with_columns(self.values.alias(self.column))


METRICS: Final[Mapping[str, Metric]] = {
    name: Metric.of(name, "minimize") for name in ("val_loss", "bits_per_byte", "val_perplexity")
}


def _objective(specs: Mapping[str, Mapping[str, object]]) -> Metric | None:
    """Return the first objective of the first sweep that has one, None where none can be read."""
    for spec in specs.values():
        objectives = spec.get("objectives")
        first = objectives[0] if isinstance(objectives, list) and objectives else None
        if isinstance(first, dict) and first.get("metric") in MEASURED:
            return Metric.of(first["metric"], str(first.get("goal", "minimize")))
    return None


@dataclass(frozen=True, kw_only=True, repr=False)
class Results:
    """The tables of one or several sweeps, cleaned.

    `trials` holds one row per sweep and trial; `reports`, `decisions` and `samples` have the
    trial's `architecture` and `cohort` beside their own columns.
    """

    trials: pl.DataFrame
    reports: pl.DataFrame
    decisions: pl.DataFrame
    samples: pl.DataFrame
    answers: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Tables of what models were asked beside `samples`, as they are stored; empty for none."""
    incidents: pl.DataFrame = field(default_factory=pl.DataFrame)
    """What happened to the drivers and processes that made the tables."""
    specs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Resolved spec by sweep, where there was one."""
    environments: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    formats: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """What `precision: auto` came to mean in each sweep that measured it, by architecture."""
    sessions: tuple[Mapping[str, object], ...] = ()
    """Each run of the command that made the sweeps: when it ended, how busy its slots were."""
    folders: tuple[Path, ...] = ()
    data: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """What is known of each sweep's data and tokenizer, where it was recorded."""
    warnings: tuple[str, ...] = ()
    """What was wrong with a folder's tables and what was done about it, in sentences."""
    caveats: tuple[str, ...] = ()
    """Why losses of several sweeps do not compare as they stand, in sentences."""
    compared: bool = False
    """Whether the first sweep is to be read as before and the last one as after."""

    def __repr__(self) -> str:
        """Return what a notebook shows of it in a few lines, and not its tables."""
        told = [f"results of {', '.join(self.sweeps)}: {_trials(self.trials.height)}"]
        for row in self._best_rows():
            architecture, *others = row.items()
            told.append(f"  {architecture[1]}: " + ", ".join(f"{k} {v}" for k, v in others))
        return "\n".join(told)

    def _repr_html_(self) -> str:
        """Return the same as a table."""
        rows = self._best_rows()
        title = escape(f"{', '.join(self.sweeps)}: {_trials(self.trials.height)}")
        if not rows:
            return f"<p>{title}</p>"
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>"
            for row in rows
        )
        return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _best_rows(self) -> list[dict[str, str]]:
        """Return each architecture's best trial at its highest rung, as texts, the best first."""
        column = self.metric.column
        known = self.trials.filter(pl.col(column).is_not_null() & pl.col("rung").is_not_null())
        best = known.sort(["rung", column], descending=[True, False]).unique(
            "architecture", keep="first", maintain_order=True
        )
        return [
            {
                "architecture": row["architecture"],
                "trials": str(known.filter(architecture=row["architecture"]).height),
                f"best {column}": f"{row[column]:.4f}",
                "rung": str(row["rung"]),
                "parameters": f"{row['num_params']:,}",
                "trial": short_id(row["trial_id"]),
            }
            for row in best.sort(column).iter_rows(named=True)
        ]

    @cached_property
    def asked(self) -> Asked:
        """What trained models answered, the best trial first."""
        return Asked.of(self.trials, self.answers, order=self.metric.column)

    @cached_property
    def sweeps(self) -> tuple[str, ...]:
        """Names of the sweeps, in the order of the folders."""
        return tuple(self.trials["sweep"].unique(maintain_order=True).drop_nulls().to_list())

    @cached_property
    def architectures(self) -> tuple[str, ...]:
        """Every architecture with a trial, in alphabetical order."""
        return tuple(self.trials["architecture"].drop_nulls().unique().sort().to_list())

    @cached_property
    def hyperparameters(self) -> Mapping[str, tuple[str, ...]]:
        """The settings that each architecture has (some trial's value is not null)."""
        names = setting_names(self.trials)
        filled = self.trials.group_by("architecture").agg(
            pl.col(name).is_not_null().any() for name in names
        )
        return {
            row["architecture"]: tuple(name for name in names if row[name])
            for row in filled.iter_rows(named=True)
            if row["architecture"] is not None
        }

    @cached_property
    def setting_names(self) -> list[str]:
        """The settings that any architecture has, in alphabetical order."""
        return sorted({name for names in self.hyperparameters.values() for name in names})

    @cached_property
    def varied(self) -> Mapping[str, tuple[str, ...]]:
        """The settings of each architecture that took at least two values."""
        return {
            architecture: tuple(
                name
                for name in self.hyperparameters.get(architecture, ())
                if frame[name].drop_nulls().n_unique() > 1
            )
            for architecture in self.architectures
            for frame in [self.trials.filter(architecture=architecture)]
        }

    @cached_property
    def metric(self) -> Metric:
        """The first objective; bits per byte where tokenizers differ, else without any `val_loss`.

        Where the objective is to be large, a column that is small then stands for it.
        """
        found = _objective(self.specs)
        if self.trials["tokenizer_fingerprint"].drop_nulls().n_unique() > 1 and (
            found is None or (found.column in PER_TOKEN or found.values is not None)
        ):
            return METRICS["bits_per_byte"]
        if found is not None and self.trials[found.column].is_not_null().any():
            return found
        return METRICS["val_loss"]

    @cached_property
    def in_seconds(self) -> bool:
        """Whether trials end after the same seconds of training, each at tokens of its own."""
        return _all_in_seconds(self.specs)

    @cached_property
    def last_rung(self) -> int | None:
        """The rung at full budget; None when no trial reached any."""
        last = self.trials["rung"].max()
        return last if isinstance(last, int) else None

    @cached_property
    def full_budget(self) -> pl.DataFrame:
        """Trials that reached the last rung with a finite loss, one row per trial."""
        return self.trials.filter(
            pl.col("status").is_in(FULL_STATUSES)
            & pl.col("rung").eq_missing(self.last_rung)
            & pl.col(self.metric.column).is_not_null()
        ).unique("trial_id", maintain_order=True)


def load(paths: str | Path | Sequence[str | Path], *, compare: bool = False) -> Results:
    """Read one sweep's folder, or several, into one `Results`.

    Sweeps of one name in different places get the folder that they lie in added to their name.

    Args:
        paths: one folder, or several; a folder that is given twice counts once.
        compare: whether two sweeps are to be read as before and after.

    Raises:
        ResultsError: a folder is missing or holds no `trials/*.parquet`, no folder is given, or
            there are not two sweeps to compare.
    """
    several = [paths] if isinstance(paths, str | Path) else list(paths)
    folders = tuple({Path(path).resolve(): Path(path) for path in several}.values())
    if not folders:
        raise ResultsError("no results folder was named")
    if compare and len(folders) != 2:
        raise ResultsError(f"a comparison is of two sweeps, not of {len(folders)}")
    parts = [_read_trials(folder) for folder in folders]
    names = _distinct_names(parts, folders)
    parts = [
        part.with_columns(sweep=pl.lit(name)) if len(parts) > 1 else part
        for part, name in zip(parts, names, strict=True)
    ]
    trials, warnings = _clean_trials(pl.concat(parts, how="diagonal_relaxed"))
    trials, earlier = _current(trials)
    if earlier.height:
        warnings += (
            f"Left out, but kept in the tables: {_trials(earlier.height)} of an earlier spec, of "
            "other data or of other code.",
        )
    owners = trials.select("trial_id", "architecture", "cohort").unique("trial_id")
    tables = {
        name: pl.concat([_read_table(folder, name, schema) for folder in folders])
        for name, schema in TABLES.items()
        if name != "trials"
    }
    for name in ("reports", "decisions", *ASKED_TABLES):
        tables[name] = tables[name].join(earlier, on="trial_id", how="anti", maintain_order="left")
    reports = _in_order(_finite(tables["reports"]))
    specs = _beside(folders, names, lambda files: files.spec)
    objective = _objective(specs)
    if objective is not None:
        trials, reports = objective.add_to(trials), objective.add_to(reports)
    decisions = tables["decisions"].unique(["trial_id", "rung"], keep="last")
    return Results(
        trials=trials,
        reports=reports.join(owners, on="trial_id", how="left", maintain_order="left"),
        decisions=decisions.sort("time", "trial_id").join(owners, on="trial_id", how="left"),
        samples=tables["samples"]
        .unique(maintain_order=True)
        .join(owners, on="trial_id", how="left"),
        answers={name: tables[name] for name in ASKED_TABLES if name != "samples"},
        incidents=tables["incidents"].unique(maintain_order=True),
        specs=specs,
        environments=_beside(folders, names, lambda files: files.environment),
        formats=_beside(folders, names, lambda files: files.precision),
        sessions=_sessions(folders),
        folders=folders,
        data=_beside(folders, names, lambda files: files.data),
        warnings=warnings,
        caveats=tuple(_incomparable(trials, in_seconds=_all_in_seconds(specs)))
        if len(folders) > 1
        else (),
        compared=compare,
    )


def _trials(number: int) -> str:
    return "1 trial" if number == 1 else f"{number:,} trials"


def _current(trials: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return trials without those of an earlier spec, and the ids that are thereby left out."""
    is_earlier = pl.col("current").eq_missing(other=False)
    kept = trials.filter(~is_earlier)
    earlier = trials.filter(is_earlier).select("trial_id").unique()
    return kept, earlier.join(kept, on="trial_id", how="anti")


def _in_order(reports: pl.DataFrame) -> pl.DataFrame:
    """Sort by trial and step and keep the last row of each pair; texts are compared only once."""
    placed = reports.with_columns(place=pl.col("trial_id").rank("dense")).sort(
        "place", "step", maintain_order=True
    )
    repeated = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in ("place", "step")
    ) & (pl.int_range(pl.len()) < pl.len() - 1)
    return placed.filter(~repeated).drop("place")


def _all_in_seconds(specs: Mapping[str, Mapping[str, object]]) -> bool:
    budgets = [spec.get("budget") for spec in specs.values()]
    units = [budget.get("unit") for budget in budgets if isinstance(budget, Mapping)]
    return bool(units) and set(units) == {"seconds"}


def _incomparable(trials: pl.DataFrame, *, in_seconds: bool) -> list[str]:
    """Return reasons why losses of different sweeps do not compare, in sentences."""
    found = []
    if trials["data_fingerprint"].drop_nulls().n_unique() > 1:
        found.append("The sweeps saw different data, so their losses do not compare.")
    twice = (
        trials.filter(pl.col("status").is_in(FULL_STATUSES))
        .group_by("trial_id")
        .agg(pl.col("val_loss", "tokens").drop_nulls().n_unique())
        .filter((pl.col("val_loss") > 1) & (pl.col("tokens") == 1))
    )
    if twice.height:
        found.append(
            f"Trained twice with different losses under one identifier: {twice.height}; something "
            "changed that identifiers do not know of, such as code or machine. Figures that pool "
            "the sweeps take the first."
        )
    ends = trials.filter(pl.col("rung") == pl.col("rung").max().over("sweep"))
    spent = pl.col("tokens")
    if in_seconds:  # two digits: a report lies behind its mark by a step
        spent = pl.col("training_seconds").round_sig_figs(2)
    budgets = ends.group_by("sweep", maintain_order=True).agg(spent=spent.median()).drop_nulls()
    if budgets["spent"].n_unique() > 1:
        unit = "seconds" if in_seconds else "tokens"
        parts = [f"{name} {size:,.0f}" for name, size in budgets.iter_rows()]
        found.append(
            f"The sweeps trained for different budgets ({unit} a trial: {', '.join(parts)}), so "
            "their losses compare only at equal cost."
        )
    return found


def _read_trials(folder: Path) -> pl.DataFrame:
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder; expected a sweep's results folder")
    if not any(SweepFolder(folder).table("trials").glob("*.parquet")):
        raise ResultsError(
            f"{folder}: no trials/*.parquet in it; expected a sweep's results folder"
        )
    frame = _read_table(folder, "trials", TRIALS)
    return frame.with_columns(pl.col("sweep").fill_null(folder.resolve().name))


def _read_table(folder: Path, name: str, schema: pa.Schema) -> pl.DataFrame:
    """Read every part of a table; the schema's columns come first, missing ones as nulls."""
    types = pl.DataFrame(schema.empty_table()).schema
    files = sorted(SweepFolder(folder).table(name).glob("*.parquet"))
    frames = [pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files]
    frame = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame(schema=types)
    fixed = [
        pl.col(column).cast(dtype, strict=False)
        if column in frame.columns
        else pl.lit(None, dtype=dtype).alias(column)
        for column, dtype in types.items()
    ]
    others = [column for column in frame.columns if column not in types] if name == "trials" else []
    return frame.select(*fixed, *others)


def _clean_trials(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Keep the last row of each trial; make hyperparameters numbers, text or booleans."""
    warnings = []
    known = frame.filter(pl.col("trial_id").is_not_null() & pl.col("architecture").is_not_null())
    if known.height < frame.height:
        dropped = frame.height - known.height
        warnings.append(f"{dropped} trial rows had no identifier or no architecture; left out.")
    rows = known.unique(["sweep", "trial_id"], keep="last", maintain_order=True)
    if rows.height < known.height:
        warnings.append(
            f"{known.height - rows.height} older rows of the same trials were left out."
        )
    settings = setting_names(rows)
    empty = [name for name in settings if rows[name].null_count() == rows.height]
    odd = [
        name
        for name in settings
        if not (rows.schema[name].is_numeric() or rows.schema[name] in (pl.String, pl.Boolean))
    ]
    plain = rows.with_columns(
        pl.Series(name, [None if value is None else str(value) for value in rows[name]])
        for name in odd
        if name not in empty
    )
    plain = plain.with_columns(
        pl.col("status").fill_null("running"), pl.col("cohort").fill_null("searched")
    )
    return _finite(named_settings(plain.drop(empty))), tuple(warnings)


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn NaN and infinities into nulls: JSON and statistics have no use for either."""
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    return frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in floats
    )


def _distinct_names(parts: Sequence[pl.DataFrame], folders: Sequence[Path]) -> list[str]:
    """Return each sweep's name; where two are the same, with the folder that it lies in."""
    names = [
        str(part["sweep"].drop_nulls().first() or folder.resolve().name)
        for part, folder in zip(parts, folders, strict=True)
    ]
    longer = [
        f"{name} ({folder.resolve().parent.name})" if names.count(name) > 1 else name
        for name, folder in zip(names, folders, strict=True)
    ]
    return [
        f"{name} ({folder})" if longer.count(name) > 1 else name
        for name, folder in zip(longer, folders, strict=True)
    ]


def _sessions(folders: Sequence[Path]) -> tuple[Mapping[str, object], ...]:
    found: list[Mapping[str, object]] = []
    for folder in folders:
        content = read_json(SweepFolder(folder).sessions)
        if isinstance(content, list):
            found.extend(session for session in content if isinstance(session, dict))
    return tuple(found)


def _beside(
    folders: Sequence[Path], names: Sequence[str], file: Callable[[SweepFolder], Path]
) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for folder, name in zip(folders, names, strict=True):
        content = read_json(file(SweepFolder(folder)))
        if isinstance(content, dict):
            found[name] = content
    return found
