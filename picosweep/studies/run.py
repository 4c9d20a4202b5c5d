"""Running a shipped study: `picosweep study NAME`."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from picosweep.commands.observer import Observer
from picosweep.commands.plan import Plan, plan
from picosweep.commands.result import SweepResult
from picosweep.commands.run import run
from picosweep.studies.outcome import Outcome, outcome_of
from picosweep.studies.page import page_of
from picosweep.studies.study import (
    Profile,
    Study,
    is_of_hub,
    load_study,
    merged,
    parts_of,
    sweep_name,
)
from picosweep.sweeps.errors import InputError, Problem
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.mirror import local_results
from picosweep.sweeps.store.reader import read_rows


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
        start = _start(chosen, sweep, {key: one.folder for key, one in done.items()})
        with _explained(chosen, spec):
            done[sweep] = run(merged(spec, start), results=folder, observer=observer)
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

    One whose trials go on from those of another is left out until these are trained.

    Raises:
        InputError: there is no such study, or its data cannot be had.
    """
    name, chosen = load_study(name)
    plans = {}
    for sweep, spec in _specs(chosen, name, profile, source):
        sources = (parts_of(arm)[0] for arm in chosen.sweeps[sweep].starts_from.values())
        folders = {one: Path(results) / sweep_name(name, one, profile) for one in sources}
        try:
            start = _start(chosen, sweep, folders)
        except NotTrainedError:
            continue
        with _explained(chosen, spec):
            plans[sweep] = plan(merged(spec, start), results=results)
    return plans


class NotTrainedError(InputError):
    """The arm that a sweep goes on from has no trained trial, or not yet."""


def _start(chosen: Study, sweep: str, folders: Mapping[str, Path]) -> dict[str, Any]:
    """Return what a sweep's spec says of the weights that it goes on from, and of their tokens.

    Raises:
        NotTrainedError: they are not there yet.
    """
    starts = {}
    tokenizer = {}
    for name, arm in chosen.sweeps[sweep].starts_from.items():
        source, architecture, _ = parts_of(arm)
        folder = SweepFolder(folders[source])
        ranking = Ranking.of_stored(read_json(folder.spec))
        rows = read_rows(folder.path, "trials") if folder.spec.exists() else []
        best = [one.row for one in ranking.winners(rows) if one.row["architecture"] == architecture]
        if not best:
            message = "no trial of this arm was trained to the end, to go on from"
            raise NotTrainedError(Problem(message=message, where=str(folder.path), found=arm))
        starts[name] = best[0]["trial_id"]
        tokenizer = {"kind": "bpe", "path": str(folder.tokenizer())}
    if not starts:
        return {}
    return {"init_from": starts, "data": {"tokenizer": tokenizer}}


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
    # Imported late: Altair takes seconds, and a plan does without.
    from picosweep.studies.drawing import draw  # noqa: PLC0415

    target.mkdir(parents=True, exist_ok=True)
    outcome = replace(outcome, captions=tuple(draw(chosen, name, outcome, folders, target)))
    replace_file(target / f"{name}.json", outcome.to_json().encode())
    page = target / f"{name}.md"
    replace_file(page, page_of(chosen, name, outcome).encode())
    return page
