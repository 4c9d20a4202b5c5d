"""How much does each setting move the loss, the others held fixed? A linear model, robust errors.

Settings that span a factor of 10 enter as logarithms to base 10. Numbers are scaled to a standard
deviation of one, so coefficients compare; categories are compared to their first value. Errors are
HC3, which hold when the noise differs between settings and are the careful choice for few trials.

Source: J. S. Long and L. H. Ervin, Using heteroscedasticity consistent standard errors, 2000.
"""

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.linear_model import SCALED, Fit, fit_regression


def regression_sentence(fit: Fit, metric: Metric) -> str:
    """Say what moves the loss, which way, and how much of the spread the model explains."""
    clear = fit.clear_terms().sort(pl.col("estimate").abs(), descending=True)
    explained = (
        f"the model explains {wording.percent(max(0.0, fit.r_squared))} of the spread in loss "
        f"({wording.percent(max(0.0, fit.adjusted))} after allowing for its number of terms)"
    )
    if clear.is_empty():
        return (
            f"No setting's effect stands out from the noise; {explained} among "
            f"{wording.plural(fit.residuals.height, 'trial')}."
        )
    effects = [
        f"{term} ({wording.signed(estimate)}{'' if ' vs ' in term else SCALED})"
        for term, estimate in clear.head(3).select("term", "estimate").iter_rows()
    ]
    return (
        f"Clear effects on {metric.noun}, the others held fixed: {wording.listing(effects)}; "
        f"{explained} among {wording.plural(fit.residuals.height, 'trial')}."
    )


def regression_chart(table: pl.DataFrame) -> Chart:
    """Draw coefficients with 95 % intervals around zero."""
    terms = table.filter(pl.col("term") != "(average)")
    y = alt.Y("term:N", title=None, sort=terms["term"].to_list(), axis=alt.Axis(labelLimit=320))
    base = alt.Chart(terms).encode(y=y)
    zero = (
        alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(strokeDash=[3, 3]).encode(x=alt.X("at:Q"))
    )
    bars = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title="Change in loss"),
        x2=alt.X2("high:Q"),
    )
    dots = base.mark_point(size=90, opacity=1).encode(
        x=alt.X("estimate:Q"),
        tooltip=[alt.Tooltip("term:N"), alt.Tooltip("estimate:Q", format=".4f"),
                 alt.Tooltip("low:Q", format=".4f"), alt.Tooltip("high:Q", format=".4f"),
                 alt.Tooltip("p_value:Q", format=".3g")],
    )  # fmt: skip
    return wide(zero, bars, dots, height=rows(terms.height, 30))


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture, and one of all together; None without trials."""
    panels = []
    compared = comparisons(results, pooled=True)
    for common in compared:
        name = common.name
        fit = fit_regression(common.frame, common.settings)
        if fit is None:
            trials = wording.plural(common.frame.height, "trial")
            sentence = f"{common.title}: {trials} cannot tell the effects of its settings apart."
            panels.append(Panel(label=name, sentence=sentence))
            continue
        sentence = (
            f"{common.title}: {regression_sentence(fit, results.metric)} Model: {fit.formula}."
        )
        if fit.left_out:
            sentence += f" Left out for lack of trials: {wording.listing(fit.left_out)}."
        if fit.determined:
            one = len(fit.determined) == 1
            sentence += (
                f" {wording.listing(fit.determined)} {'varies' if one else 'vary'} only with other "
                f"settings, so no effect of {'its' if one else 'their'} own can be told."
            )
        panels.append(
            Panel(
                label=name,
                sentence=f"{sentence} {common.sentence}",
                chart=regression_chart(fit.table),
                table=fit.table,
                show_table=True,
            )
        )
    if not panels:
        return None
    return Figure(
        key="regression",
        title=timed("Effect of each setting, the others held fixed", compared),
        panels=tuple(panels),
        note=(
            "Ordinary least squares with HC3 errors. A number's effect is the change in loss per "
            "standard deviation, a category's the change against the value after vs. Bars are 95 % "
            "for each term alone; an effect is called clear at 5 % for all terms that were "
            "considered together (Holm). A searched sample is not a designed experiment: read "
            "signs and sizes, not the third digit."
        ),
    )
