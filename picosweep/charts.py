"""Every chart of the report as a function of a sweep's results: `charts.pareto(results)`.

A figure with tabs takes the tab's name, or a part of it: a price (`"num_params"`, `"Seconds"`), an
architecture, two settings (`"embed_size × context_size"`). What is returned is an Altair chart in
the report's look, which a notebook draws without a network.
"""

import functools
import re
from collections.abc import Callable
from typing import Final

from picosweep.analysis.answer import headline, spend, sweep_comparison
from picosweep.analysis.curves import (
    fit_quality as fit_quality_,
    norms as norms_,
    ribbons as ribbons_,
    scaling as scaling_,
)
from picosweep.analysis.equal_cost import (
    best_so_far as best_so_far_,
    expected_best as expected_best_,
    improvement as improvement_,
    learning_curves as learning_curves_,
)
from picosweep.analysis.fronts import (
    front_membership as front_membership_,
    hypervolume as hypervolume_,
    pareto as pareto_,
)
from picosweep.analysis.fronts.prices import PRICES
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.offline import in_notebook, use_offline_charts
from picosweep.analysis.page.style import use_theme
from picosweep.analysis.preference import preferences as preferences_
from picosweep.analysis.results import Results, ResultsError
from picosweep.analysis.shapes import (
    box_plots as box_plots_,
    density as density_,
    heatmap as heatmap_,
    parallel_coordinates as parallel_coordinates_,
    slices as slices_,
)
from picosweep.analysis.stopping import (
    decisions as decisions_,
    rank_agreement as rank_agreement_,
    savings as savings_,
)
from picosweep.analysis.what_mattered import (
    correlation as correlation_,
    importance as importance_,
    partial_dependence as partial_dependence_,
    regression as regression_,
    residuals as residuals_,
)

Drawing = Callable[..., Chart]

_TABS: Final = {price.column: price.tab for price in PRICES}
"""Names of tabs by the columns that they are about."""


@functools.cache
def _prepare_notebook() -> None:
    """Draw in the report's look and without a network, from the first chart on."""
    use_theme()
    use_offline_charts()


def _drawn(question: Callable[[Results], Figure | None], about: str) -> Drawing:
    """Return the function that draws a question's figure."""

    def draw(results: Results, tab: str | None = None) -> Chart:
        figure = question(results)
        if figure is None:
            raise ResultsError("this sweep has nothing to draw there")
        panel = _panel(figure, tab)
        if panel.chart is None:
            raise ResultsError(panel.sentence)
        if in_notebook():
            _prepare_notebook()
        return panel.chart

    draw.__doc__ = (
        f"{about}\n\nArgs:\n    results: what `picosweep.load` returned.\n    tab: name of one of "
        "its tabs, or a part of it; None: the first one.\n\nRaises:\n    ResultsError: there is "
        "no such tab, or too little was measured to draw it."
    )
    return draw


def _panel(figure: Figure, tab: str | None) -> Panel:
    """Return a figure's tab by its name or a part of it; where there are several, the first."""
    if tab is None:
        return next((one for one in figure.panels if one.chart is not None), figure.panels[0])
    asked = {_plain(tab), _plain(_TABS.get(tab, tab))}
    names = [f"{one.group} {one.label}".strip() for one in figure.panels]
    exact = [one for one in figure.panels if _plain(one.label) in asked]
    part = [
        one
        for one, name in zip(figure.panels, names, strict=True)
        if any(words in _plain(name) for words in asked)
    ]
    found = [*exact, *part]
    if not found:
        there = ", ".join(repr(name) for name in dict.fromkeys(names) if name) or "no tabs"
        raise ResultsError(f"{figure.title} has no tab {tab!r}; there: {there}")
    return found[0]


def _plain(name: str) -> str:
    return re.sub(r"\s+x\s+", " × ", name.strip().lower())


best_settings = _drawn(headline.figure, "Draw each architecture's best setting on fresh seeds.")
sweeps = _drawn(sweep_comparison.figure, "Draw the best of several sweeps side by side.")
cost = _drawn(spend.figure, "Draw what became of the trials, by architecture.")
learning_curves = _drawn(learning_curves_.figure, "Draw every trial's loss over its cost.")
best_so_far = _drawn(best_so_far_.figure, "Draw the best loss found over the sweep's cost.")
expected_best = _drawn(expected_best_.figure, "Draw the best loss to expect of so many trials.")
improvement = _drawn(improvement_.figure, "Draw the chance that one architecture beats another.")
pareto = _drawn(pareto_.figure, "Draw the front between the loss and a price.")
hypervolume = _drawn(hypervolume_.figure, "Draw how the fronts grew over the sweep.")
front_membership = _drawn(front_membership_.figure, "Draw how sure a setting's place on it is.")
importance = _drawn(importance_.figure, "Draw how much each setting mattered.")
regression = _drawn(regression_.figure, "Draw what each setting changes, by a linear model.")
residuals = _drawn(residuals_.figure, "Draw what that model leaves unexplained.")
partial_dependence = _drawn(partial_dependence_.figure, "Draw the loss over each setting alone.")
correlation = _drawn(correlation_.figure, "Draw how settings and measures go together.")
heatmap = _drawn(heatmap_.figure, "Draw the mean loss over two settings.")
box_plots = _drawn(box_plots_.figure, "Draw the losses of each value of each setting.")
slices = _drawn(slices_.figure, "Draw every trial over one setting at a time.")
parallel_coordinates = _drawn(parallel_coordinates_.figure, "Draw every trial as a line.")
density = _drawn(density_.figure, "Draw where losses and accuracies lie.")
rank_agreement = _drawn(rank_agreement_.figure, "Draw how early rungs foretold the last one.")
savings = _drawn(savings_.figure, "Draw what early stopping saved.")
decisions = _drawn(decisions_.figure, "Draw what early stopping decided at each rung.")
ribbons = _drawn(ribbons_.figure, "Draw the spread of the learning curves.")
fit_quality = _drawn(fit_quality_.figure, "Draw training against validation loss.")
norms = _drawn(norms_.figure, "Draw the norms of gradients and weights.")
scaling = _drawn(scaling_.figure, "Draw how the loss falls with size and compute.")
preferences = _drawn(preferences_.figure, "Draw how often the chosen one is preferred.")

__all__ = [
    "best_settings",
    "best_so_far",
    "box_plots",
    "correlation",
    "cost",
    "decisions",
    "density",
    "expected_best",
    "fit_quality",
    "front_membership",
    "heatmap",
    "hypervolume",
    "importance",
    "improvement",
    "learning_curves",
    "norms",
    "parallel_coordinates",
    "pareto",
    "partial_dependence",
    "preferences",
    "rank_agreement",
    "regression",
    "residuals",
    "ribbons",
    "savings",
    "scaling",
    "slices",
    "sweeps",
]
for _name in __all__:
    globals()[_name].__name__ = globals()[_name].__qualname__ = _name


def __dir__() -> list[str]:
    """Return the charts alone."""
    return __all__
