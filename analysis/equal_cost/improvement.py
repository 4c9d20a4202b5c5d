"""Is a trial of one architecture likely to beat a trial of another? All pairs, with intervals."""

import warnings
from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.equal_cost.expected_best import population
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Results

CONFIDENCE: Final = 0.95


def improvement_table(trials: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return, for each ordered pair, the share of trial pairs in which `architecture` is better.

    Better is less loss; ties count half. The interval is Brunner and Munzel's, which assumes
    neither normality nor equal spread; it is null when the two never overlap or one has a single
    trial, for then nothing estimates its width.

    Returns:
        architecture, against, probability, low, high, trials, trials_against.
    """
    samples = {
        str(name): frame[column].drop_nulls().to_numpy()
        for (name,), frame in trials.sort("architecture").group_by(
            "architecture", maintain_order=True
        )
    }
    found = []
    for name, own in samples.items():
        for other, theirs in samples.items():
            if name == other or not (len(own) and len(theirs)):
                continue
            probability, low, high = _compare(own, theirs)
            found.append(
                {
                    "architecture": name,
                    "against": other,
                    "probability": probability,
                    "low": low,
                    "high": high,
                    "trials": len(own),
                    "trials_against": len(theirs),
                }
            )
    schema = {
        "architecture": pl.String, "against": pl.String, "probability": pl.Float64,
        "low": pl.Float64, "high": pl.Float64, "trials": pl.Int64, "trials_against": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def _compare(own: np.ndarray, theirs: np.ndarray) -> tuple[float, float | None, float | None]:
    from statsmodels.stats.nonparametric import rank_compare_2indep  # noqa: PLC0415 - slow import

    difference = theirs[None, :] - own[:, None]
    probability = float((difference > 0).mean() + 0.5 * (difference == 0).mean())
    if probability in {0.0, 1.0} or min(len(own), len(theirs)) < 2:
        return probability, None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no spread within a sample: nan below
        low, high = rank_compare_2indep(theirs, own, use_t=True).conf_int(alpha=1 - CONFIDENCE)
    if not (np.isfinite(low) and np.isfinite(high)):
        return probability, None, None
    return probability, float(max(0.0, low)), float(min(1.0, high))


def improvement_sentence(table: pl.DataFrame) -> str:
    """Say the closest comparison and the clearest one."""
    if table.is_empty():
        return "There is only one architecture with trials at full budget, so nothing to compare."
    winning = table.filter(pl.col("probability") >= 0.5).sort("probability", "architecture")
    close, sure = winning.row(0, named=True), winning.row(-1, named=True)
    text = (
        f"A trial of {close['architecture']} beats one of {close['against']} with probability "
        f"{wording.percent(close['probability'])}"
    )
    if close["low"] is not None:
        text += f" ({wording.percent(close['low'])} to {wording.percent(close['high'])})"
    if winning.height == 1:
        return text + "."
    return (
        f"{text}, the closest pair; {sure['architecture']} beats {sure['against']} with "
        f"{wording.percent(sure['probability'])}."
    )


def improvement_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw a matrix: row beats column with the probability in the cell."""
    order = [name for name in architectures if name in set(table["architecture"])]
    shown = table.with_columns(light=pl.col("probability").is_between(0.22, 0.78))
    base = alt.Chart(shown).encode(
        x=alt.X("against:N", title="… than one of", sort=order,
                axis=alt.Axis(labelAngle=0, orient="top", labelLimit=110)),
        y=alt.Y("architecture:N", title="A trial of … is better", sort=order),
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color(
            "probability:Q",
            scale=alt.Scale(domain=[0, 0.5, 1], scheme="blueorange", reverse=True),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("against:N"),
            alt.Tooltip("probability:Q", format=".1%"),
            alt.Tooltip("low:Q", format=".1%"),
            alt.Tooltip("high:Q", format=".1%"),
        ],
    )
    texts = base.mark_text(fontSize=13, fontWeight=600).encode(
        text=alt.Text("probability:Q", format=".0%"),
        color=alt.ColorValue("#ffffff", condition={"test": "datum.light", "value": "#10151b"}),
    )
    return wide(cells, texts, height=rows(len(order), 48), least=480)


def figure(results: Results) -> Figure:
    """Return the matrix of all pairs as a figure."""
    trials, whose = population(results)
    table = improvement_table(trials, results.metric.column)
    return Figure(
        key="improvement",
        title="Probability of improvement",
        panels=(
            Panel(
                sentence=improvement_sentence(table),
                chart=None if table.is_empty() else improvement_chart(table, results.architectures),
                table=table,
            ),
        ),
        note=f"From {whose}. Intervals are Brunner and Munzel's at 95 %.",
    )
