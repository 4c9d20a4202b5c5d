"""The routes: what may be asked of the service, each answered by a function of a line or two."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, FastAPI, Header, Path as PathParameter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from picosweep.service.archive import archive
from picosweep.service.events import Broadcast, TooManyWatchersError
from picosweep.service.looking import BusyError, Looker
from picosweep.service.metrics import CONTENT_TYPE, metrics
from picosweep.service.queue.manager import Manager
from picosweep.service.queue.submissions import Submission
from picosweep.service.shapes import (
    Checked,
    CurveShape,
    ExplainedShape,
    Health,
    Identifier,
    NewSubmission,
    Nothing,
    PointShape,
    Problems,
    Prompt,
    Reorder,
    Resume,
    SpecText,
    SubmissionShape,
    SweepName,
    SweepSummary,
    Trials,
    TrialToStop,
    Written,
)
from picosweep.service.sweeps import MOST_ROWS, NoSuchError, Sweeps, plain
from picosweep.service.tables import as_csv, rows_of
from picosweep.start.explain import explain
from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.tables import TABLES

_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problems} for status in (400, 401, 403, 404, 413, 415, 421, 422, 429, 503)
}
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {}}, "description": "The table."}
}
TableName = Annotated[
    str,
    PathParameter(description="Name of a result table.", pattern=f"^({'|'.join(TABLES)})$"),
]
_ARCHIVE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/x-tar": {}}, "description": "The archive."}
}
REPORT_POLICY: Final = "sandbox allow-scripts allow-downloads allow-popups; frame-ancestors 'none'"
"""A report is a page of its own making: it runs its scripts, but as nobody's."""

Sweep = Annotated[SweepName, PathParameter(description="Name of a sweep.")]
Id = Annotated[Identifier, PathParameter(description="Of a submission.")]
TrialId = Annotated[Identifier, PathParameter(description="Of a trial.")]


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the routes work with."""

    manager: Manager
    looker: Looker
    sweeps: Sweeps
    broadcast: Broadcast

    def shape(self, one: Submission) -> SubmissionShape:
        """Return what is told of a submission."""
        return SubmissionShape.of(one, self.manager.queue())


def make_app(service: Service) -> FastAPI:
    """Return the application, without its guard and its pages."""

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def tell(one: Submission) -> None:
            content = {"id": one.id, "sweep": one.sweep, "state": one.state}
            loop.call_soon_threadsafe(service.broadcast.tell_queue, content)

        service.manager.on_change.append(tell)
        try:
            yield
        finally:
            service.manager.on_change.remove(tell)
            await service.broadcast.close()

    app = FastAPI(
        title="Picosweep",
        summary="Sweeps over very small language models: submit, watch, stop.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=running,
        openapi_url="/api/openapi.json",
    )
    app.add_exception_handler(RequestValidationError, _bad_shape)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(InputError, _bad_input)
    app.add_exception_handler(NoSuchError, not_found)
    app.add_exception_handler(OSError, _no_disk)
    app.add_exception_handler(TooManyWatchersError, _busy)
    app.add_exception_handler(BusyError, _busy)
    app.include_router(_submissions(service))
    app.include_router(_sweeps(service))
    app.include_router(_events(service))
    app.include_router(_health(service))
    return app


def _submissions(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=_REFUSED, tags=["submissions"])
    manager, looker = service.manager, service.looker

    @routes.post("/check")
    def check(asked: SpecText) -> Checked:
        """Check a spec as `picosweep run` does."""
        return Checked(sweep=looker.check(asked.spec))

    @routes.post("/plan")
    def plan(asked: SpecText) -> dict[str, Any]:
        """Say what a sweep would do and cost; train nothing."""
        return looker.plan(asked.spec)

    @routes.get("/explain/{topic}")
    def explained(topic: Annotated[str, PathParameter(max_length=200)]) -> list[ExplainedShape]:
        """Say what a setting of a spec is, by its name."""
        return [
            ExplainedShape(
                path=one.group.path(setting), where=one.group.title, type=setting.type,
                default=setting.default, range=setting.range, meaning=setting.meaning,
            )
            for one in explain(topic)
            for setting in one.settings
        ]  # fmt: skip

    @routes.post("/submissions", status_code=201)
    def submit(asked: NewSubmission) -> SubmissionShape:
        """Put a sweep into the queue."""
        sweep = looker.check(asked.spec)
        found = manager.submit(
            asked.spec, sweep, priority=asked.priority, key=asked.key,
            retry_failed=asked.retry_failed,
        )  # fmt: skip
        return service.shape(found)

    @routes.get("/submissions")
    def submissions() -> list[SubmissionShape]:
        """Return all submissions, the oldest first."""
        queue = manager.queue()
        return [SubmissionShape.of(one, queue) for one in manager.all()]

    @routes.get("/submissions/{name}")
    def submission(name: Id) -> SubmissionShape:
        """Return one submission."""
        return service.shape(_known(manager, name))

    @routes.post("/submissions/{name}/pause")
    def pause(name: Id, _: Nothing) -> SubmissionShape:
        """Stop a sweep in good order; `resume` goes on with it."""
        return service.shape(manager.pause(_known(manager, name).id))

    @routes.post("/submissions/{name}/cancel")
    def cancel(name: Id, _: Nothing) -> SubmissionShape:
        """Stop a sweep for good; what it has trained stays."""
        return service.shape(manager.cancel(_known(manager, name).id))

    @routes.post("/submissions/{name}/resume")
    def resume(name: Id, asked: Resume) -> SubmissionShape:
        """Go on with a sweep, with a larger budget or space where a spec is given."""
        one = _known(manager, name)
        if asked.spec and (sweep := looker.check(asked.spec)) != one.sweep:
            raise input_error(
                "the spec has another name", key="name", found=sweep, allowed=one.sweep
            )
        again = manager.resume(one.id, retry_failed=asked.retry_failed, spec=asked.spec)
        return service.shape(again)

    @routes.post("/submissions/{name}/reorder")
    def reorder(name: Id, asked: Reorder) -> SubmissionShape:
        """Give a waiting sweep another priority or place."""
        one = _known(manager, name)
        return service.shape(manager.reorder(one.id, priority=asked.priority, place=asked.place))

    return routes


def _sweeps(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/api/sweeps", responses=_REFUSED, tags=["sweeps"])
    sweeps = service.sweeps

    @routes.get("")
    def all_sweeps() -> list[SweepSummary]:
        """Return every sweep of the results folder, the one that was begun last first."""
        return sweeps.summaries(service.manager.all())

    @routes.get("/{sweep}")
    def one_sweep(sweep: Sweep) -> SweepSummary:
        """Return how far a sweep is."""
        return sweeps.summary(sweep, service.manager.all())

    @routes.get("/{sweep}/trials")
    def trials(
        sweep: Sweep,
        status: Annotated[str | None, Query(max_length=40)] = None,
        architecture: Annotated[str | None, Query(max_length=200)] = None,
        sort: Annotated[str, Query(max_length=200)] = "val_loss",
        order: Literal["up", "down"] = "up",
        after: Annotated[str, Query(max_length=400)] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
    ) -> Trials:
        """Return a page of trials."""
        wanted = {"status": status, "architecture": architecture}
        return sweeps.trials(
            sweep,
            wanted={name: value for name, value in wanted.items() if value is not None},
            sort=sort, down=order == "down", after=after, limit=limit,
        )  # fmt: skip

    @routes.get("/{sweep}/trials/{trial}")
    def trial(sweep: Sweep, trial: TrialId) -> dict[str, Any]:
        """Return one trial's row."""
        return sweeps.trial(sweep, trial)

    @routes.get("/{sweep}/curves")
    def curves(
        sweep: Sweep,
        trial: Annotated[list[Identifier] | None, Query(max_length=100)] = None,
        best: Annotated[int, Query(ge=1, le=25)] = 5,
    ) -> list[CurveShape]:
        """Return losses over steps: of some trials, or of the best of each architecture."""
        return sweeps.curves(sweep, trial or (), best)

    @routes.get("/{sweep}/decisions")
    def decisions(sweep: Sweep) -> list[dict[str, Any]]:
        """Return what early stopping decided last."""
        return sweeps.decisions(sweep)

    @routes.get("/{sweep}/incidents")
    def incidents(sweep: Sweep) -> list[dict[str, Any]]:
        """Return what happened to the sweep's processes last."""
        return sweeps.incidents(sweep)

    @routes.get("/{sweep}/log")
    def log(sweep: Sweep) -> Written:
        """Return the end of the last driver's log."""
        return Written(text=sweeps.log(sweep))

    @routes.post("/{sweep}/stop-trial", status_code=202)
    def stop_trial(sweep: Sweep, asked: TrialToStop) -> dict[str, str]:
        """Let a trial end at its next report."""
        sweeps.stop_trial(sweep, asked.trial_id)
        return {"trial_id": asked.trial_id}

    @routes.get("/{sweep}/trials/{trial}/samples")
    def samples(sweep: Sweep, trial: TrialId) -> list[dict[str, Any]]:
        """Return what a trial wrote as it was trained."""
        return sweeps.samples(sweep, trial)

    @routes.post("/{sweep}/trials/{trial}/generate")
    def generate(sweep: Sweep, trial: TrialId, asked: Prompt) -> Written:
        """Let a trained trial write."""
        sweeps.trial(sweep, trial)
        return Written(text=service.looker.generate(trial, asked.model_dump()))

    @routes.get("/{sweep}/trials/{trial}/tables/{table}")
    def trial_rows(sweep: Sweep, trial: TrialId, table: TableName) -> list[dict[str, Any]]:
        """Return a trial's rows of a table: evaluations, probes, decisions, reports."""
        return [plain(row) for row in rows_of(sweeps.view(sweep).folder, table, trial)]

    @routes.get("/{sweep}/tables/{table}.csv", response_class=StreamingResponse, responses=_CSV)
    def whole_table(sweep: Sweep, table: TableName) -> StreamingResponse:
        """Return a table as it was sealed last."""
        parts = as_csv(sweeps.view(sweep).folder, table)
        name = {"content-disposition": f'attachment; filename="{sweep}-{table}.csv"'}
        return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=name)

    @routes.get("/{sweep}/front")
    def front(sweep: Sweep) -> list[PointShape]:
        """Return the loss of each trial beside its size, and which no other beats in both."""
        return sweeps.front(sweep)

    @routes.get("/{sweep}/archive", response_class=StreamingResponse, responses=_ARCHIVE)
    def whole_folder(sweep: Sweep, checkpoints: bool = False) -> StreamingResponse:
        """Return the sweep's folder as a tar archive: tables, journal, report, logs."""
        parts = archive(sweeps.view(sweep).folder, checkpoints=checkpoints)
        name = {"content-disposition": f'attachment; filename="{sweep}.tar"'}
        return StreamingResponse(parts, media_type="application/x-tar", headers=name)

    @routes.get("/{sweep}/report", response_class=FileResponse)
    def report(sweep: Sweep) -> FileResponse:
        """Return the HTML report."""
        path = SweepFolder(sweeps.view(sweep).folder).report
        if not path.is_file():
            raise NoSuchError(f"{sweep} has no report yet")
        return _as_report(path)

    return routes


def _events(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=_REFUSED, tags=["events"])
    stream: Any = {200: {"content": {"text/event-stream": {}}, "description": "Events."}}
    seen = Annotated[str, Header(max_length=100)]

    @routes.get("/events", response_class=StreamingResponse, responses=stream)
    async def queue_events() -> StreamingResponse:
        """Tell of every change of the queue."""
        return await _stream(service.broadcast.watch(""))

    @routes.get("/sweeps/{sweep}/events", response_class=StreamingResponse, responses=stream)
    async def sweep_events(
        sweep: Sweep, last_event_id: seen = "", after: str = ""
    ) -> StreamingResponse:
        """Tell of every row that is written, from the event after `Last-Event-ID` on."""
        await asyncio.to_thread(service.sweeps.view, sweep)
        return await _stream(service.broadcast.watch(sweep, last_event_id or after))

    return routes


async def _stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    first = await anext(events)  # whoever is one too many is told so by the status

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for event in events:
            yield event

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(all_of_it(), media_type="text/event-stream", headers=headers)


def _health(service: Service) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    def health() -> Health:
        """Say that the service answers."""
        return Health(ok=True)

    @routes.get("/ready", responses={503: {"model": Health}})
    def ready() -> JSONResponse:
        """Say whether the queue is at work."""
        trouble = service.manager.trouble
        content = Health(ok=not trouble, trouble=trouble).model_dump()
        return JSONResponse(content, status_code=503 if trouble else 200)

    @routes.get("/metrics", response_class=PlainTextResponse)
    def scrape() -> PlainTextResponse:
        """Return numbers for Prometheus."""
        manager = service.manager
        text = metrics(
            manager.all(),
            num_watchers=service.broadcast.num_watchers,
            trouble=manager.trouble,
        )
        return PlainTextResponse(text, media_type=CONTENT_TYPE)

    return routes


def _known(manager: Manager, name: str) -> Submission:
    try:
        return manager.get(name)
    except InputError as error:
        raise NoSuchError(f"no such submission: {name}") from error


def _as_report(path: Path) -> FileResponse:
    return FileResponse(
        path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY}
    )


def _problems(status: int, *problems: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"problems": list(problems)}, status_code=status)


async def _bad_shape(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = [
        {"key": ".".join(map(str, one["loc"][1:])), "message": str(one["msg"])}
        for one in error.errors()
    ]
    return _problems(422, *told)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problems(error.status_code, {"message": str(error.detail)})


async def _bad_input(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InputError)
    return _problems(400, *({k: v for k, v in vars(one).items() if v} for one in error.problems))


async def not_found(_: Request, error: Exception) -> JSONResponse:
    """Answer for what is not there."""
    return _problems(404, {"message": str(error)})


async def _no_disk(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    return _problems(503, {"message": f"the results cannot be used: {error.strerror or error}"})


async def _busy(_: Request, error: Exception) -> JSONResponse:
    return _problems(503, {"message": str(error)})
