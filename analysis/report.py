"""The report: every question asked of the results, the answers on one page."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import altair as alt

from analysis import (
    box_plots,
    headline,
    heatmap,
    learning_curves,
    pareto,
    regression,
    spend,
    trial_table,
    words,
)
from analysis.answer import answer, results_option
from analysis.figure import Figure, Panel
from analysis.page import Section, render
from analysis.results import Results, load

_log = logging.getLogger(__name__)

Question = Callable[[Results], Figure | None]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Questions that belong together."""

    key: str
    title: str
    lead: str
    questions: tuple[Question, ...]


CHAPTERS: Final = (
    Chapter(
        key="sure",
        title="How sure, at what cost",
        lead="Each architecture's best setting on fresh seeds, and what the sweep spent.",
        questions=(headline.figure, spend.figure),
    ),
    Chapter(
        key="equal-cost",
        title="Architectures at equal cost",
        lead="An architecture is only better than another at the same price.",
        questions=(learning_curves.figure,),
    ),
    Chapter(
        key="fronts",
        title="Pareto fronts",
        lead="What a lower loss costs in parameters, compute, time and memory.",
        questions=(pareto.figure,),
    ),
    Chapter(
        key="mattered",
        title="What mattered",
        lead="Which settings moved the loss, and how far.",
        questions=(regression.figure,),
    ),
    Chapter(
        key="shapes",
        title="Shapes of the space",
        lead="How the loss lies over the settings. Only settings that an architecture has.",
        questions=(heatmap.figure, box_plots.figure),
    ),
    Chapter(
        key="all-trials",
        title="All trials",
        lead="Sort by any column, filter by any word; a trial's identifier opens its details.",
        questions=(trial_table.figure,),
    ),
)


def write_report(
    results_folders: str | Path | Sequence[str | Path], output: str | Path, *, strict: bool = False
) -> Path:
    """Writes one self-contained HTML page on one sweep, or on several.

    Args:
        results_folders: One sweep's folder, or several.
        output: The HTML file; replaced whole, so a reader never sees half of it.
        strict: Whether an error in one figure is raised. Otherwise the figure says so and the
            rest of the page stands: a report must not be lost to one odd column.

    Raises:
        ResultsError: A folder is missing or holds no trials.
    """
    target = Path(output)
    page = render_report(load(results_folders), strict=strict)
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", dir=target.parent, prefix=f".{target.name}.", delete=False, encoding="utf-8"
    ) as part:
        part.write(page)
    Path(part.name).chmod(0o644)
    return Path(part.name).replace(target)


def render_report(results: Results, *, strict: bool = False) -> str:
    """The page as text."""
    # Altair checks each object against its schema while it is built; tests do that, readers wait.
    with alt.utils.schemapi.debug_mode(strict):
        sections = [
            Section(
                key=chapter.key,
                title=chapter.title,
                lead=chapter.lead,
                figures=tuple(_ask(chapter.questions, results, strict=strict)),
            )
            for chapter in CHAPTERS
        ]
        return render(
            title=" + ".join(results.sweeps),
            subtitle=subtitle(results),
            answer=answer(results),
            sections=sections,
            architectures=results.architectures,
            colophon=colophon(results),
            facts={"option": results_option(results)},
        )


def _ask(questions: Sequence[Question], results: Results, *, strict: bool) -> list[Figure]:
    figures = []
    for question in questions:
        name = question.__module__.rpartition(".")[2]
        try:
            figure = question(results)
        except Exception as error:  # see `strict`
            if strict:
                raise
            _log.warning("figure %s could not be made", name, exc_info=True)
            sentence = f"This figure could not be made: {type(error).__name__}: {error}"
            figure = Figure(
                key=name.replace("_", "-"), title=name, panels=(Panel(sentence=sentence),)
            )
        if figure is not None:
            figures.append(figure)
    return figures


def subtitle(results: Results) -> str:
    """Data, budget and date, as far as the spec says."""
    parts: list[str] = []
    for spec in results.specs.values():
        data = spec.get("data")
        source = data.get("source") if isinstance(data, Mapping) else None
        if isinstance(source, str):
            parts.append(source)
        elif isinstance(source, Mapping):
            parts.append(" + ".join(str(name) for name in source))
    tokens = results.full_budget["tokens"].max()
    if isinstance(tokens, int):
        parts.append(f"{words.count(tokens)} tokens a trial")
    start = results.trials["start_time"].min()
    if isinstance(start, datetime):
        parts.append(f"{start.day} {start:%B %Y}")
    return " · ".join(dict.fromkeys(parts))


def colophon(results: Results) -> str:
    """What the page was made from."""
    machine = [
        f"{key} {value}"
        for environment in results.environments.values()
        for key, value in environment.items()
        if isinstance(value, str | int | float)
    ][:8]
    made = f"Made by Picosweep from {words.plural(results.trials.height, 'trial')} and "
    made += f"{words.plural(results.reports.height, 'report')}."
    return " ".join([made, *results.warnings]) + (
        f" Environment: {', '.join(machine)}." if machine else ""
    )
