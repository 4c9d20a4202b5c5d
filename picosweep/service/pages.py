"""The pages: written here, patched by a small script that asks for parts of them again.

Names, texts and errors come from specs and models of anybody: the templates escape all of them.
"""

import datetime
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any, Final

import jinja2
from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from picosweep.analysis.page import wording
from picosweep.service.api import Service, not_found
from picosweep.service.guard import COOKIE, LOGIN, Keys
from picosweep.service.queue.submissions import OPEN
from picosweep.service.shapes import Identifier, LogIn, SubmissionShape, SweepName, SweepSummary
from picosweep.service.sweeps import NoSuchError
from picosweep.service.tables import parts_of
from picosweep.start.shipped import shipped_specs
from picosweep.sweeps.store.tables import TABLES, short_id

PAGE_ROWS: Final = 50
STATIC: Final[Mapping[str, tuple[str, str]]] = {
    "report.css": ("picosweep.analysis.page", "text/css"),
    "service.css": ("picosweep.service", "text/css"),
    "service.js": ("picosweep.service", "text/javascript"),
    "icon.svg": ("picosweep.service", "image/svg+xml"),
}
COOKIE_SECONDS: Final = 30 * 24 * 3600
COLUMNS: Final = ("val_loss", "rung", "tokens", "num_params", "seconds", "start_time")
"""By which trials may be sorted on the page."""


class Pages:
    """Renders pages from templates.

    Args:
        service: what is shown.
        keys: for the token that pages send along.
    """

    def __init__(self, service: Service, keys: Keys) -> None:
        self._service, self._keys = service, keys
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("picosweep.service"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "number": wording.significant,
            "count": wording.count,
            "duration": wording.duration,
            "short": short_id,
            "clock": _clock,
        }

    def html(self, template: str, status: int = 200, **content: Any) -> HTMLResponse:
        """Return a page, or a part of one."""
        text = self._templates.get_template(template).render(
            page_token=self._keys.page(), trouble=self._service.manager.trouble, **content
        )
        return HTMLResponse(text, status_code=status)

    def home(self) -> dict[str, Any]:
        """Return what the first page shows."""
        manager, sweeps = self._service.manager, self._service.sweeps
        submissions = manager.all()
        queue = manager.queue()
        shapes = [SubmissionShape.of(one, queue) for one in submissions]
        active = [one for one in shapes if one.state in OPEN and one.place is None]
        waiting = sorted((one for one in shapes if one.place is not None), key=_place)
        return {
            "active": active,
            "waiting": waiting,
            "sweeps": sweeps.summaries(submissions),
            "states": {one.sweep: one for one in shapes},
        }

    def sweep(self, sweep: str) -> dict[str, Any]:
        """Return what a sweep's page shows above its trials."""
        summary = self._service.sweeps.summary(sweep, self._service.manager.all())
        submission = None
        if summary.submission is not None:
            submission = self._service.shape(self._service.manager.get(summary.submission))
        return {
            "summary": summary,
            "submission": submission,
            "doing": _doing(summary, submission),
            "decisions": self._service.sweeps.decisions(sweep)[:12],
            "incidents": self._service.sweeps.incidents(sweep)[:5],
        }

    def trials(
        self, sweep: str, status: str, architecture: str, sort: str, after: str
    ) -> dict[str, Any]:
        """Return a page of a sweep's trials."""
        wanted = {"status": status, "architecture": architecture}
        column = sort.removeprefix("-")
        found = self._service.sweeps.trials(
            sweep,
            wanted={name: value for name, value in wanted.items() if value},
            sort=column if column in COLUMNS else "val_loss",
            down=sort.startswith("-"),
            after=after,
            limit=PAGE_ROWS,
        )
        view = self._service.sweeps.view(sweep)
        return {
            "sweep": sweep,
            "trials": found,
            "chosen": {**wanted, "sort": sort, "after": after},
            "statuses": sorted(
                self._service.sweeps.summary(sweep, self._service.manager.all()).counts
            ),
            "architectures": sorted({str(row["architecture"]) for row in view.trials.values()}),
            "columns": COLUMNS,
        }


def add_pages(app: FastAPI, service: Service, keys: Keys, *, behind_tls: bool) -> None:
    """Add the pages, what they load, and the door for browsers."""
    pages = Pages(service, keys)
    text = Annotated[str, Query(max_length=400)]

    async def missing(request: Request, error: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return await not_found(request, error)
        return pages.html("missing.html", status=404, message=str(error))

    app.add_exception_handler(NoSuchError, missing)

    @app.get("/", include_in_schema=False)
    def home() -> HTMLResponse:
        return pages.html("home.html", **pages.home())

    @app.get("/part/home", include_in_schema=False)
    def home_part() -> HTMLResponse:
        return pages.html("_home.html", **pages.home())

    @app.get("/new", include_in_schema=False)
    def new(sweep: text = "") -> HTMLResponse:
        own = [one for one in service.manager.all() if one.sweep == sweep]
        spec = own[-1].spec if own else shipped_specs()["demo"].read_text(encoding="utf-8")
        return pages.html("new.html", spec=spec, again=own[-1] if own else None)

    @app.get("/sweeps/{sweep}", include_in_schema=False)
    def sweep(
        sweep: SweepName, status: text = "", architecture: text = "", sort: text = "val_loss",
        after: text = "",
    ) -> HTMLResponse:  # fmt: skip
        content = pages.trials(sweep, status, architecture, sort, after)
        folder = service.sweeps.view(sweep).folder
        tables = [name for name in TABLES if parts_of(folder, name)]
        return pages.html("sweep.html", **content, **pages.sweep(sweep), tables=tables)

    @app.get("/part/sweeps/{sweep}", include_in_schema=False)
    def sweep_part(sweep: SweepName) -> HTMLResponse:
        return pages.html("_sweep.html", sweep=sweep, **pages.sweep(sweep))

    @app.get("/part/sweeps/{sweep}/decisions", include_in_schema=False)
    def decisions_part(sweep: SweepName) -> HTMLResponse:
        return pages.html("_decisions.html", **pages.sweep(sweep))

    @app.get("/part/sweeps/{sweep}/trials", include_in_schema=False)
    def trials_part(
        sweep: SweepName, status: text = "", architecture: text = "", sort: text = "val_loss",
        after: text = "",
    ) -> HTMLResponse:  # fmt: skip
        content = pages.trials(sweep, status, architecture, sort, after)
        return pages.html("_trials.html", **content)

    @app.get("/sweeps/{sweep}/trials/{trial}", include_in_schema=False)
    def trial(sweep: SweepName, trial: Identifier) -> HTMLResponse:
        row = service.sweeps.trial(sweep, trial)
        samples = service.sweeps.samples(sweep, trial)
        return pages.html("trial.html", sweep=sweep, row=row, shown=_shown(row), samples=samples)

    @app.get(LOGIN, include_in_schema=False)
    def log_in_page() -> HTMLResponse:
        return pages.html("login.html")

    @app.post(LOGIN, include_in_schema=False)
    def log_in(given: LogIn) -> JSONResponse:
        if not keys.is_token(given.token.strip()):
            return JSONResponse({"problems": [{"message": "not this token"}]}, status_code=401)
        answer = JSONResponse({"ok": True})
        answer.set_cookie(
            COOKIE, keys.cookie(), max_age=COOKIE_SECONDS, httponly=True, samesite="strict",
            secure=behind_tls, path="/",
        )  # fmt: skip
        return answer

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in STATIC:
            raise NoSuchError(f"no such file: {name}")
        package, kind = STATIC[name]
        folder = files(package)
        if package == "picosweep.service":
            folder = folder.joinpath("static")
        return Response(
            folder.joinpath(name).read_bytes(),
            media_type=kind,
            headers={"cache-control": "no-cache"},
        )


def _place(one: SubmissionShape) -> int:
    return one.place or 0


def _doing(summary: SweepSummary, submission: SubmissionShape | None) -> str:
    """Return in a word what a sweep does now."""
    if summary.driver is not None:
        return "stopping" if submission and submission.wish else "running"
    if submission is not None:
        return submission.state
    return "ended" if not summary.counts.get("waiting") else "interrupted"


def _shown(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the columns of a trial that say something, as texts."""
    told = []
    for name, value in row.items():
        if value is None:
            continue
        if name.endswith("_time") and isinstance(value, int):
            told.append((name, _clock(value / 1e6)))
        elif isinstance(value, float):
            told.append((name, f"{value:.5g}"))
        elif isinstance(value, dict | list):
            told.append((name, json.dumps(value)))
        else:
            told.append((name, str(value)))
    return told


def _clock(seconds: float | None) -> str:
    """Return a time as text, in UTC."""
    if seconds is None:
        return ""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M:%S}"
