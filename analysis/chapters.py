"""Registry of the report's questions, in the order of the report: add a new question here."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from picosweep.analysis.answer import headline, spend, sweep_comparison, trained_on
from picosweep.analysis.asked.figures import PROBES, SCORES
from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.curves import fit_quality, norms, ribbons, scaling
from picosweep.analysis.equal_cost import best_so_far, expected_best, improvement, learning_curves
from picosweep.analysis.fronts import front_membership, hypervolume, pareto
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.preference import preferences
from picosweep.analysis.results import Results
from picosweep.analysis.shapes import box_plots, density, heatmap, parallel_coordinates, slices
from picosweep.analysis.stopping import decisions, rank_agreement, savings
from picosweep.analysis.trials import (
    environment,
    failures,
    incidents,
    number_formats,
    samples,
    tokenizer_check,
    trial_table,
)
from picosweep.analysis.what_mattered import (
    correlation,
    importance,
    partial_dependence,
    regression,
    residuals,
)

_log = logging.getLogger(__name__)

Question = Callable[[Results], Figure | None]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Questions that belong together."""

    key: str
    title: str
    lead: str
    questions: tuple[Question, ...]


def _asked(figure: Callable[[Asked], Figure | None]) -> Question:
    """Return the question that a figure of what models answered answers."""

    def question(results: Results) -> Figure | None:
        return None if results.asked.is_empty else figure(results.asked)

    question.__module__ = figure.__module__
    return question


CHAPTERS: Final = (
    Chapter(
        key="sure",
        title="How sure, at what cost",
        lead="Each architecture's best setting on fresh seeds, and what the sweep spent.",
        questions=(headline.figure, sweep_comparison.figure, spend.figure, trained_on.figure),
    ),
    Chapter(
        key="equal-cost",
        title="Architectures at equal cost",
        lead="An architecture is only better than another at the same price.",
        questions=(
            learning_curves.figure,
            best_so_far.figure,
            expected_best.figure,
            improvement.figure,
        ),
    ),
    Chapter(
        key="fronts",
        title="Pareto fronts",
        lead="What a lower loss costs in parameters, compute, time and memory.",
        questions=(pareto.figure, hypervolume.figure, front_membership.figure),
    ),
    Chapter(
        key="preference",
        title="Preferences",
        lead="How often the chosen continuation is preferred, and what that did to the model.",
        questions=(preferences.figure,),
    ),
    Chapter(
        key="mattered",
        title="What mattered",
        lead="Which settings moved the loss, how far, and how sure that is.",
        questions=(
            importance.figure,
            regression.figure,
            residuals.figure,
            partial_dependence.figure,
            correlation.figure,
        ),
    ),
    Chapter(
        key="shapes",
        title="Shapes of the space",
        lead="How the loss lies over the settings that each architecture has.",
        questions=(
            heatmap.figure,
            box_plots.figure,
            slices.figure,
            parallel_coordinates.figure,
            density.figure,
        ),
    ),
    Chapter(
        key="stopping",
        title="Was early stopping right?",
        lead="What the exempt trials, which early stopping may not touch, say about its choices.",
        questions=(rank_agreement.figure, savings.figure, decisions.figure),
    ),
    Chapter(
        key="curves",
        title="Learning curves",
        lead="How all trials learned, which of them should learn longer, and what went astray.",
        questions=(ribbons.figure, fit_quality.figure, norms.figure),
    ),
    Chapter(
        key="scaling-laws",
        title="Scaling",
        lead="How the loss falls with size and compute, inside the range that was measured.",
        questions=(scaling.figure,),
    ),
    Chapter(
        key="texts",
        title="What the models say",
        lead="What a token is to them, and samples side by side by decoder and architecture.",
        questions=(samples.figure, tokenizer_check.figure),
    ),
    Chapter(
        key="can-do",
        title="What they can do",
        lead="Scores of the suites that the spec asks for, beside what knows nothing.",
        questions=tuple(map(_asked, SCORES)),
    ),
    Chapter(
        key="how",
        title="How they do it",
        lead="Inside the best model of each architecture: heads, attention, tokens, neurons.",
        questions=tuple(map(_asked, PROBES)),
    ),
    Chapter(
        key="all-trials",
        title="All trials",
        lead="Sort by any column, filter by any word; a trial's identifier opens its details.",
        questions=(
            trial_table.figure,
            failures.figure,
            incidents.figure,
            number_formats.figure,
            environment.figure,
        ),
    ),
)


def ask(questions: Sequence[Question], results: Results, *, strict: bool = False) -> list[Figure]:
    """Return the figures of the questions that apply.

    Args:
        questions: functions from results to a figure, or to None where the question does not apply.
        results: tables that the questions are asked of.
        strict: whether an error is raised. Otherwise a figure reports it and the others are made:
            one unexpected column must not cost the whole report.
    """
    figures = []
    for question in questions:
        name = question.__module__.rpartition(".")[2]
        try:
            figure = question(results)
        except Exception as error:  # see `strict`
            if strict:
                raise
            _log.warning("the figure %s could not be made", name, exc_info=True)
            sentence = f"This figure could not be made: {type(error).__name__}: {error}"
            figure = Figure(
                key=name.replace("_", "-"),
                title=name.replace("_", " ").capitalize(),
                panels=(Panel(sentence=sentence),),
            )
        if figure is not None:
            figures.append(figure)
    return figures
