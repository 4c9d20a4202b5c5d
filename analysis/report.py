"""The report: every question asked of the results, the answers on one page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import altair as alt

from picosweep.analysis.answer.answer import answer, results_option
from picosweep.analysis.answer.change import change_answer
from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.page import wording
from picosweep.analysis.page.first_screen import Answer
from picosweep.analysis.page.page import Section, render
from picosweep.analysis.results import Results, load


def write_report(
    results_folders: str | Path | Sequence[str | Path] | Results,
    output: str | Path,
    *,
    sections: Sequence[Section] | None = None,
    refresh_seconds: float | None = None,
    strict: bool = False,
) -> Path:
    """Writes one self-contained HTML page on one sweep, or on several.

    Args:
        results_folders: One sweep's folder, or several, or what `analysis.load` made of them.
        output: The HTML file; replaced whole, so a reader never sees half of it.
        sections: The chapters when they are known already; see `make_sections`.
        refresh_seconds: How often the page loads itself again while a trial is running.
        strict: Whether an error in one figure is raised; see `analysis.chapters.ask`.

    Raises:
        ResultsError: A folder is missing or holds no trials.
    """
    target = Path(output)
    results = results_folders if isinstance(results_folders, Results) else load(results_folders)
    page = render_report(results, sections=sections, refresh_seconds=refresh_seconds, strict=strict)
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", dir=target.parent, prefix=f".{target.name}.", delete=False, encoding="utf-8"
    ) as part:
        part.write(page)
    Path(part.name).chmod(0o644)
    return Path(part.name).replace(target)


def make_sections(results: Results, *, strict: bool = False) -> tuple[Section, ...]:
    """Asks every question of the results: the chapters, before they become a page or images."""
    # Altair checks each object against its schema while it is built; tests do that, readers wait.
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
    """The answer, or the change where two sweeps are compared."""
    return change_answer(results) if results.compared else answer(results)


def render_report(
    results: Results,
    *,
    sections: Sequence[Section] | None = None,
    refresh_seconds: float | None = None,
    strict: bool = False,
) -> str:
    """The page as text."""
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
    """Data, budget and date, as far as the spec says."""
    parts: list[str] = []
    for spec in results.specs.values():
        data = spec.get("data")
        source = data.get("source") if isinstance(data, Mapping) else None
        if isinstance(source, str):
            parts.append("/".join(Path(source).parts[-2:]))
        elif isinstance(source, Mapping):
            parts.append(" + ".join(str(name) for name in source))
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
    """What the page was made from."""
    return (
        f"Made by Picosweep from {wording.plural(results.trials.height, 'trial')} and "
        f"{wording.plural(results.reports.height, 'report')}. This page is whole in itself and "
        "asks nothing of the network."
    )
