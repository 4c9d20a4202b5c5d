"""Can the regression be trusted? Residuals against fitted losses, and against a normal law."""

from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import PICKED, pickable, small_multiples, when
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.common_rung import comparisons
from picosweep.analysis.statistics.linear_model import Fit, fit_regression
from picosweep.sweeps.store.tables import short_id

FITTED: Final = "Residual against fitted loss"
NORMAL: Final = "Residual against a normal law (Q-Q)"
MAX_POINTS: Final = 300
MAX_TESTED: Final = 5000
"""Above, Shapiro and Wilk's p is not reliable; evenly spaced residuals take part then."""
SIGNIFICANT: Final = 0.05
FEW: Final = 20


def residuals_table(fit: Fit) -> pl.DataFrame:
    """Return both plots' points and reference lines.

    Returns:
        plot, trial_id (null on a reference line), x, y, line (whether it is one of a line's ends).
    """
    from scipy.stats import probplot  # noqa: PLC0415 - slow to import

    residuals = fit.residuals.sort("residual").with_columns(
        scaled=pl.col("residual") / pl.col("residual").std()
    )
    (quantiles, _), (slope, intercept, _) = probplot(residuals["scaled"].to_numpy())
    every = -(-residuals.height // MAX_POINTS)
    fitted = residuals.select(
        "trial_id", plot=pl.lit(FITTED), x="fitted", y="residual", line=pl.lit(value=False)
    )
    normal = residuals.select(
        "trial_id",
        plot=pl.lit(NORMAL),
        x=pl.Series(quantiles),
        y="scaled",
        line=pl.lit(value=False),
    )
    low, high = residuals.select(pl.col("fitted").min(), b=pl.col("fitted").max()).row(0)
    ends = np.array([quantiles[0], quantiles[-1]])
    lines = pl.DataFrame(
        {
            "plot": [FITTED, FITTED, NORMAL, NORMAL],
            "x": [low, high, *ends],
            "y": [0.0, 0.0, *(intercept + slope * ends)],
            "line": [True] * 4,
        }
    )
    points = [part.gather_every(every) for part in (fitted, normal)]
    return pl.concat([*points, lines], how="diagonal")


def residuals_sentence(fit: Fit) -> str:
    """Say whether the residuals are normal and evenly spread, and which trial is furthest off."""
    from scipy.stats import shapiro  # noqa: PLC0415 - slow to import
    from statsmodels.stats.diagnostic import het_breuschpagan  # noqa: PLC0415

    residual = fit.residuals["residual"].to_numpy()
    fitted = fit.residuals["fitted"].to_numpy()
    if np.ptp(residual) < 1e-12:
        return "The model fits every trial exactly, so there is nothing left to look at."
    normal = shapiro(residual[:: -(-len(residual) // MAX_TESTED)]).pvalue
    even = het_breuschpagan(residual, np.column_stack([np.ones_like(fitted), fitted]))[1]
    straight, steady = normal > SIGNIFICANT, even > SIGNIFICANT
    text = "Residuals " + ("show no departure" if straight else "depart") + " from a normal law"
    text += f" (Shapiro and Wilk's p {_p(normal)})"
    if steady:
        text += " and" if straight else " but show"
        text += f" no change in spread (Breusch and Pagan's p {_p(even)})."
    else:
        text += ", " + ("but" if straight else "and")
        text += f" their spread changes with the fitted loss (Breusch and Pagan's p {_p(even)}); "
        text += "the robust errors allow for that."
    if straight and steady and len(residual) < FEW:
        text += f" With {len(residual)} trials only a gross departure would show."
    worst = fit.residuals.sort(pl.col("residual").abs(), descending=True).row(0, named=True)
    miss = wording.significant(abs(worst["residual"]), 2)
    side = "above" if worst["residual"] > 0 else "below"
    name = short_id(worst["trial_id"])
    return f"{text} Trial {name} lies furthest off, {miss} {side} what the model says."


def _p(value: float) -> str:
    """Write a p-value with two digits, and none below 0.001, where such tests are not exact."""
    return "below 0.001" if value < 0.001 else wording.significant(float(value), 2)


def residuals_chart(table: pl.DataFrame) -> Chart:
    """Draw two plots side by side."""
    base = alt.Chart(table).encode(
        x=alt.X("x:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=None, scale=alt.Scale(zero=False)),
    )
    lines = base.transform_filter("datum.line").mark_line(strokeDash=[4, 3], strokeWidth=1.5)
    points = base.transform_filter("!datum.line").mark_point(opacity=0.7).encode(
        size=alt.SizeValue(**when(40, (PICKED, 280))),
        tooltip=[alt.Tooltip("trial_id:N"), alt.Tooltip("x:Q", format=".4f"),
                 alt.Tooltip("y:Q", format=".4f")],
    )  # fmt: skip
    return small_multiples(
        lines, pickable(points), by="plot", columns=2, size=(360, 230), free=["x", "y"]
    )


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture that has a regression; None where none has."""
    panels = []
    for common in comparisons(results, pooled=True):
        fit = fit_regression(common.frame, common.settings)
        if fit is None:
            continue
        flat = np.ptp(fit.residuals["residual"].to_numpy()) < 1e-12
        table = None if flat else residuals_table(fit)
        panels.append(
            Panel(
                label=common.name,
                sentence=f"{common.title}: {residuals_sentence(fit)}",
                chart=None if table is None else residuals_chart(table),
                table=table,
            )
        )
    if not panels:
        return None
    return Figure(
        key="residuals",
        title="Can the regression be trusted?",
        panels=tuple(panels),
        note="Points along the dashed lines and without a pattern are what a good model leaves.",
    )
