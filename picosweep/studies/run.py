"""Running a shipped study: `picosweep study NAME`."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from picosweep.commands.observer import Observer
from picosweep.commands.plan import Plan, plan
from picosweep.commands.result import SweepResult
from picosweep.commands.run import run
from picosweep.studies.outcome import Outcome, outcome_of
from picosweep.studies.page import page_of, picture_file
from picosweep.studies.study import Profile, Study, is_of_hub, load_study
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.mirror import local_results

log = logging.getLogger("picosweep")


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """Result of one call of `study`."""

    name: str
    study: Study
    sweeps: dict[str, SweepResult]
    """By the sweep's name in the study; the last one may not be complete."""
    outcome: Outcome | None
    """What came out; None where a sweep is not complete."""
    page: Path | None

    @property
    def unfinished(self) -> SweepResult | None:
        """The sweep that is not complete."""
        return next((one for one in self.sweeps.values() if one.status != "completed"), None)

    @property
    def new_tokens(self) -> int:
        """Tokens that this call trained."""
        return sum(one.new_tokens for one in self.sweeps.values())

    @property
    def num_answered(self) -> int:
        """Trials that other sweeps of the results folder answered."""
        rows = (row for one in self.sweeps.values() for row in one.trials)
        return sum(row["status"] == "cached" for row in rows)


def study(
    name: str,
    *,
    profile: Profile = "small",
    results: str | Path = "results",
    pages: str | Path | None = None,
    source: str | Path | None = None,
    observer: Observer | None = None,
) -> StudyResult:
    """Run a study's sweeps, or what is left of them, judge its claims and write its page.

    Args:
        name: the study's name, or the path of a file of your own.
        profile: `small` for two cores, `full` for graphics cards or a cluster.
        results: folder in which sweeps land; what another sweep of it has trained is not trained
            again.
        pages: folder for the page, its numbers and pictures; None: `studies` in the results folder.
        source: a file in place of data from a hub.
        observer: object that is called with how far the sweeps are; None for none.

    Raises:
        InputError: there is no such study, or its data cannot be had.
    """
    name, chosen = load_study(name)
    folder = local_results(Path(results)).absolute()
    done: dict[str, SweepResult] = {}
    for sweep, spec in _specs(chosen, name, profile, source):
        with _explained(chosen, spec):
            done[sweep] = run(spec, results=folder, observer=observer)
        if done[sweep].status != "completed":
            return StudyResult(name=name, study=chosen, sweeps=done, outcome=None, page=None)
    outcome = outcome_of(chosen, name, profile, folder)
    target = folder / "studies" if pages is None else Path(pages)
    page = write_page(chosen, name, outcome, {key: one.folder for key, one in done.items()}, target)
    return StudyResult(name=name, study=chosen, sweeps=done, outcome=outcome, page=page)


def study_plan(
    name: str,
    *,
    profile: Profile = "small",
    results: str | Path = "results",
    source: str | Path | None = None,
) -> dict[str, Plan]:
    """Work out what a study's sweeps would do, by their names in it.

    Raises:
        InputError: there is no such study, or its data cannot be had.
    """
    name, chosen = load_study(name)
    plans = {}
    for sweep, spec in _specs(chosen, name, profile, source):
        with _explained(chosen, spec):
            plans[sweep] = plan(spec, results=results)
    return plans


def _specs(
    chosen: Study, name: str, profile: Profile, source: str | Path | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    given = None if source is None else str(Path(source).expanduser())
    for sweep in chosen.sweeps:
        yield sweep, chosen.spec(name, sweep, profile, given)


@contextlib.contextmanager
def _explained(chosen: Study, spec: dict[str, Any]) -> Iterator[None]:
    """Name the file that can stand in where data from a hub cannot be had."""
    try:
        yield
    except InputError as error:
        if not chosen.local or not is_of_hub(spec):
            raise
        *others, last = error.problems
        hint = f"without a network give a local copy: --source FILE, {chosen.local}"
        raise InputError(*others, replace(last, hint=hint)) from error


def write_page(
    chosen: Study, name: str, outcome: Outcome, folders: dict[str, Path], target: Path
) -> Path:
    """Write a study's page, its numbers and its pictures into a folder; return the page's path."""
    target.mkdir(parents=True, exist_ok=True)
    outcome = replace(outcome, captions=tuple(_draw(chosen, name, outcome, folders, target)))
    replace_file(target / f"{name}.json", outcome.to_json().encode())
    page = target / f"{name}.md"
    replace_file(page, page_of(chosen, name, outcome).encode())
    return page


def _draw(
    chosen: Study, name: str, outcome: Outcome, folders: dict[str, Path], target: Path
) -> Iterator[str]:
    """Write the pictures; yield a caption for each, with the trials that it shows."""
    # Imported late: Altair takes seconds, and a study without pictures does without.
    from picosweep.analysis.images import render_image  # noqa: PLC0415
    from picosweep.analysis.report import make_sections  # noqa: PLC0415
    from picosweep.analysis.results import load  # noqa: PLC0415

    figures = {}
    for sweep in {picture.sweep for picture in chosen.pictures}:
        sections = make_sections(load(folders[sweep]))
        figures[sweep] = {figure.key: figure for one in sections for figure in one.figures}
    for picture in chosen.pictures:
        figure = figures[picture.sweep].get(picture.figure)
        panel = None if figure is None else figure.panels[picture.tab]
        if figure is None or panel is None or panel.chart is None:
            log.warning("%s has no figure %s to show", picture.sweep, picture.figure)
            yield ""
            continue
        (target / picture_file(name, picture)).write_bytes(render_image(panel.chart, "png"))
        best = ", ".join(one.trial_id[:8] for one in outcome.sweeps[picture.sweep].arms)
        yield f"{figure.title}: {panel.sentence} Best trials: {best}."
