"""The report: every question asked of the results, the answers on one page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Final

import altair as alt

from picosweep.analysis.answer.answer import answer, results_option
from picosweep.analysis.answer.change import change_answer
from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.page import wording
from picosweep.analysis.page.first_screen import Answer
from picosweep.analysis.page.page import Section, render
from picosweep.analysis.results import Results, load
from picosweep.sweeps.store.atomic_write import replace_file

LATE: Final = (
    "formulaic",
    "optuna.importance",
    "scipy.stats",
    "sklearn.ensemble",
    "statsmodels.regression.linear_model",
    "statsmodels.stats.diagnostic",
    "statsmodels.stats.proportion",
)
"""Libraries that take long to import, and that only some questions need."""


def write_report(
    results_folders: str | Path | Sequence[str | Path] | Results,
    output: str | Path,
    *,
    sections: Sequence[Section] | None = None,
    refresh_seconds: float | None = None,
    strict: bool = False,
) -> Path:
    """Write one self-contained HTML page on one sweep, or on several, and return its path.

    Args:
        results_folders: one sweep's folder, or several, or what `analysis.load` returned for them.
        output: path of the HTML file; it is replaced whole, so a reader never sees half of it.
        sections: chapters where they were made already, by `make_sections`; None: made here.
        refresh_seconds: seconds after which the page reloads itself while a trial is running;
            None: never.
        strict: whether an error in one figure is raised; see `analysis.chapters.ask`.

    Raises:
        ResultsError: a folder is missing or holds no trials.
    """
    target = Path(output)
    results = results_folders if isinstance(results_folders, Results) else load(results_folders)
    page = render_report(results, sections=sections, refresh_seconds=refresh_seconds, strict=strict)
    replace_file(target, page.encode())
    return target


def import_late_modules() -> None:
    """Import what questions import when they are asked, for who has time before that."""
    for name in LATE:
        import_module(name)


def make_sections(results: Results, *, strict: bool = False) -> tuple[Section, ...]:
    """Return the chapters with every question's figure, before they become a page or images."""
    # Altair checks each object against its schema while it is built; only tests are to wait for it.
    with alt.utils.schemapi.debug_mode(strict):
        return tuple(
            Section(
                key=chapter.key,
                title=chapter.title,
                lead=chapter.lead,
                figures=tuple(ask(chapter.questions, results, strict=strict)),
            )
            for chapter in CHAPTERS
        )


def first_screen(results: Results) -> Answer:
    """Return the answer, or the change where two sweeps are compared."""
    return change_answer(results) if results.compared else answer(results)


def render_report(
    results: Results,
    *,
    sections: Sequence[Section] | None = None,
    refresh_seconds: float | None = None,
    strict: bool = False,
) -> str:
    """Return the page as HTML; see `write_report`."""
    running = results.trials.filter(status="running").height > 0
    chapters = make_sections(results, strict=strict) if sections is None else sections
    with alt.utils.schemapi.debug_mode(strict):
        return render(
            title=(" → " if results.compared else " + ").join(results.sweeps),
            subtitle=subtitle(results),
            answer=first_screen(results),
            sections=chapters,
            architectures=results.architectures,
            colophon=colophon(results),
            facts={
                "option": results_option(results),
                "options": {name: results_option(results, name) for name in results.sweeps},
                "refresh": refresh_seconds if running else None,
            },
        )


def subtitle(results: Results) -> str:
    """Return data, budget and date, as far as specs and trials say them."""
    parts: list[str] = []
    for spec in results.specs.values():
        data = spec.get("data")
        source = data.get("source") if isinstance(data, Mapping) else None
        if isinstance(source, str):
            parts.append("/".join(Path(source).parts[-2:]))
        elif isinstance(source, Mapping):
            parts.append(" + ".join(wording.without_place(str(name)) for name in source))
    tokens = wording.number(results.full_budget["tokens"].max())
    seconds = wording.number(results.full_budget["training_seconds"].min())
    if results.in_seconds and seconds:
        parts.append(f"{wording.duration(seconds)} of training a trial")
    elif tokens:
        parts.append(f"{wording.count(tokens)} tokens a trial")
    start = results.trials["start_time"].min()
    if isinstance(start, datetime):
        parts.append(f"{start.day} {start:%B %Y}")
    return " · ".join(dict.fromkeys(parts))


def colophon(results: Results) -> str:
    """Say what the page was made from."""
    return (
        f"Made by Picosweep from {wording.plural(results.trials.height, 'trial')} and "
        f"{wording.plural(results.reports.height, 'report')}. This page is whole in itself and "
        "asks nothing of the network."
    )
