"""A linear model of the loss over settings that are numbers or choices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from picosweep.analysis.statistics.evidence import LEVEL, holm

LOG_SPAN: Final = 10

SAME: Final = 1e-12
"""Relative differences of losses up to which they are taken for equal."""


SCALED: Final = " per standard deviation"


TRIALS_PER_TERM: Final = 3


TRIALS_PER_INTERACTION: Final = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Regressor:
    """One setting as the model sees it, under a key that no formula can misread."""

    key: str
    name: str
    values: pl.Series
    levels: tuple[str, ...]
    """Values of a categorical setting; empty for a number."""
    logarithm: bool
    strength: float = 0.0
    """Correlation with the loss, from 0 to 1; see `_strength`."""

    @property
    def term(self) -> str:
        """Term of the formula that is fitted."""
        return f"C({self.key})" if self.levels else self.key

    @property
    def label(self) -> str:
        """Name for a reader."""
        return f"log10({self.name})" if self.logarithm else self.name

    @property
    def num_terms(self) -> int:
        """Number of coefficients."""
        return max(1, len(self.levels) - 1)

    @property
    def columns(self) -> list[np.ndarray]:
        """What the coefficients stand at."""
        if not self.levels:
            return [self.values.to_numpy()]
        codes = sorted(self.values.unique())
        return [(self.values == code).cast(pl.Float64).to_numpy() for code in codes[1:]]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model."""

    formula: str
    table: pl.DataFrame
    """term, estimate, std_error, low, high, t, p_value."""
    residuals: pl.DataFrame
    """trial_id, fitted, residual."""
    r_squared: float
    """Share of the spread in loss that the model explains."""
    adjusted: float
    """The same after allowing for the number of terms; may be negative."""
    left_out: tuple[str, ...]
    """Settings for which there were too few trials."""
    determined: tuple[str, ...]
    """Settings that vary only with others, so that no effect of their own can be told."""
    num_candidates: int
    """Coefficients that were fitted or might have been, among which the strongest were chosen."""

    def clear_terms(self) -> pl.DataFrame:
        """Return the terms that stand out from the noise at 5 % for all candidates (Holm)."""
        terms = self.table.filter(pl.col("term") != "(average)").drop_nulls("p_value")
        ranked = terms.sort("p_value")
        adjusted = holm(ranked["p_value"].to_list(), self.num_candidates)
        return ranked.with_columns(adjusted=pl.Series(adjusted, dtype=pl.Float64)).filter(
            pl.col("adjusted") <= LEVEL
        )


def is_logarithmic(values: pl.Series) -> bool:
    """Return whether a setting is better shown as its logarithm: positive and wide."""
    if not values.dtype.is_numeric() or values.drop_nulls().is_empty():
        return False
    numbers = values.drop_nulls().to_numpy()
    return bool(numbers.min() > 0 and numbers.max() / numbers.min() >= LOG_SPAN)


def regressor(key: str, values: pl.Series) -> Regressor:
    """Scale a number to mean 0 and deviation 1; code a category by its place among its values."""
    logarithm = is_logarithmic(values)
    if values.dtype.is_numeric():
        number = values.log10() if logarithm else values.cast(pl.Float64)
        scaled = (number - number.mean()) / number.std()
        return Regressor(key=key, name=values.name, values=scaled, levels=(), logarithm=logarithm)
    text = values.cast(pl.String)
    levels = tuple(text.unique().sort().to_list())
    codes = text.replace_strict(list(levels), [f"l{index:03d}" for index in range(len(levels))])
    return Regressor(key=key, name=values.name, values=codes, levels=levels, logarithm=False)


def fit_regression(frame: pl.DataFrame, settings: Sequence[str]) -> Fit | None:
    """Fit `loss` on the settings by ordinary least squares; None where no setting can be kept.

    With fewer than three trials per coefficient, the settings least correlated with the loss are
    left out and named; `Fit.clear_terms` allows for the choice. With at least six, the two
    strongest settings also get an interaction.
    """
    from formulaic import model_matrix  # noqa: PLC0415 - a second to import
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    known = frame.drop_nulls(["loss", *settings])
    usable = [name for name in settings if known[name].n_unique() > 1]
    candidates = [regressor(f"s{i}", known[name]) for i, name in enumerate(usable)]
    parts, determined = _affordable(candidates, known)
    losses = known["loss"].to_numpy()
    if not parts or np.ptp(losses) <= SAME * np.abs(losses).max():
        return None
    terms = _terms(parts, known.height)
    design = model_matrix(
        " + ".join(":".join(part.term for part in term) for term in terms),
        pl.DataFrame([part.values.alias(part.key) for part in parts]),
        output="numpy",
    )
    model = OLS(known["loss"].to_numpy(), np.asarray(design)).fit(cov_type="HC3", use_t=True)
    interval = model.conf_int(0.05)
    by_key = {part.key: part for part in parts}
    table = pl.DataFrame(
        {
            "term": [_readable(name, by_key) for name in design.model_spec.column_names],
            "estimate": model.params,
            "std_error": model.bse,
            "low": interval[:, 0],
            "high": interval[:, 1],
            "t": model.tvalues,
            "p_value": model.pvalues,
        }
    )
    names = {part.name for part in parts}
    return Fit(
        formula="loss ~ " + " + ".join(" × ".join(part.label for part in term) for term in terms),
        table=table.fill_nan(None),
        residuals=known.select("trial_id").with_columns(
            fitted=pl.Series(model.fittedvalues), residual=pl.Series(model.resid)
        ),
        r_squared=float(model.rsquared),
        adjusted=float(model.rsquared_adj),
        left_out=tuple(name for name in usable if name not in {*names, *determined}),
        determined=tuple(determined),
        num_candidates=table.height
        - 1
        + sum(part.num_terms for part in candidates if part.name not in names),
    )


def _terms(parts: Sequence[Regressor], num_trials: int) -> list[tuple[Regressor, ...]]:
    """Return each regressor alone, and the two strongest together if there are enough trials."""
    terms: list[tuple[Regressor, ...]] = [(part,) for part in parts]
    if len(parts) > 1:
        first, second = sorted(parts, key=lambda part: -part.strength)[:2]
        spent = 1 + sum(part.num_terms for part in parts)
        together = [one * other for one in first.columns for other in second.columns]
        columns = [column for part in parts for column in part.columns]
        if TRIALS_PER_INTERACTION * (spent + len(together)) <= num_trials and _is_full_rank(
            [np.ones(num_trials), *columns, *together]
        ):
            terms.append(tuple(part for part in parts if part in {first, second}))
    return terms


def _affordable(
    parts: Sequence[Regressor], frame: pl.DataFrame
) -> tuple[list[Regressor], list[str]]:
    """Return the regressors most correlated with the loss, as many as there are trials for.

    Those that the ones before them determine are returned apart, by name.
    """
    loss = frame["loss"].to_numpy()
    measured = [replace(part, strength=_strength(part, loss)) for part in parts]
    chosen: set[str] = set()
    determined = []
    columns = [np.ones(frame.height)]
    for part in sorted(measured, key=lambda part: -part.strength):
        wider = [*columns, *part.columns]
        if TRIALS_PER_TERM * len(wider) > frame.height:
            continue
        if _is_full_rank(wider):
            chosen.add(part.key)
            columns = wider
        else:
            determined.append(part.name)
    return [part for part in measured if part.key in chosen], determined


def _is_full_rank(columns: Sequence[np.ndarray]) -> bool:
    return int(np.linalg.matrix_rank(np.column_stack(columns))) == len(columns)


def by_strength(frame: pl.DataFrame, settings: Sequence[str]) -> list[str]:
    """Return the settings that vary, those first that are most correlated with `loss`."""
    strengths = {}
    for name in settings:
        known = frame.drop_nulls([name, "loss"])
        if known[name].n_unique() > 1:
            strengths[name] = _strength(regressor("s", known[name]), known["loss"].to_numpy())
    return sorted(strengths, key=lambda name: -strengths[name])


def _strength(part: Regressor, loss: np.ndarray) -> float:
    """Return the absolute correlation of the loss with a number, or with a category's means."""
    if part.levels:
        means = pl.DataFrame({"level": part.values, "loss": loss})
        fitted = means.select(pl.col("loss").mean().over("level"))["loss"].to_numpy()
    else:
        fitted = part.values.to_numpy()
    varies = np.std(fitted) > 0 and np.std(loss) > 0
    return float(abs(np.corrcoef(fitted, loss)[0, 1])) if varies else 0.0


def _readable(column: str, parts: dict[str, Regressor]) -> str:
    """Return a design column's name in the reader's terms."""
    if column == "Intercept":
        return "(average)"
    pieces = []
    for piece in column.split(":"):
        match = re.fullmatch(r"(?:C\()?(s\d+)\)?(?:\[T\.l(\d+)\])?", piece)
        if match is None:
            return column
        part = parts[match[1]]
        if match[2]:
            pieces.append(f"{part.name} {part.levels[int(match[2])]} vs {part.levels[0]}")
        else:
            pieces.append(part.label)
    return " × ".join(pieces)
