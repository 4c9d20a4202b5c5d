"""Running a sweep from a spec to its tables and its report: `sweeps.run(spec)`."""

import concurrent.futures
import contextlib
import errno
import gc
import importlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from picosweep.commands.environment import describe_environment, seconds_since_process_start
from picosweep.commands.logs import log_to
from picosweep.commands.result import Status, SweepResult
from picosweep.pico.training.restore import weights_fingerprint
from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.data import SweepData, prepare_all
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.search.candidates import CandidateFactory
from picosweep.sweeps.search.feasibility import check_feasibility
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.search.samplers import check_search
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.hyperparameters import DataSettings, column_types
from picosweep.sweeps.spec.load import load_spec, parse_spec
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.spec.spaces import build_spaces
from picosweep.sweeps.spec.user_code import user_modules
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.mirror import Mirror, local_results, open_mirror
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.workers.auto_precision import settle_precision
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.heartbeat import Heartbeat
from picosweep.terminal.live import LiveView, Steps

DISK_ERRORS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE}
)
"""What the results' disk may answer when it takes no more."""

log = logging.getLogger("picosweep")


def run(
    spec: str | Path | Mapping[str, Any],
    *,
    results: str | Path = "results",
    console: Console | None = None,
) -> SweepResult:
    """Run a sweep, or what is left of it, and write its report.

    Args:
        spec: a YAML file, or its content.
        results: the folder in which sweeps land, one folder each, or `s3://bucket/folder`.
        console: where to draw the live view; nothing is shown without one.

    Returns:
        What was done and where it lies.

    Raises:
        InputError: the spec, the data or the results folder cannot be used.
    """
    since_start = seconds_since_process_start() if console is not None else 0.0
    started = time.monotonic() - since_start
    console = console or Console(quiet=True)
    if isinstance(spec, Mapping):
        document = Document(path=Path("spec"), content=spec, lines={})
        parsed = parse_spec(spec, document)
    else:
        parsed, document = load_spec(spec)
    sweep = _Sweep(parsed, document, local_results(Path(results)).absolute())
    return sweep.run(console, started)


class _Sweep:
    """One call of `run`: what it holds open, and the order in which things are done."""

    def __init__(self, spec: Spec, document: Document, results: Path) -> None:
        self.spec = spec
        self.document = document
        self.architectures = find_architectures(spec, document)
        self.spaces, self.constraints = build_spaces(spec, document, self.architectures)
        check_search(spec, self.spaces, document)
        self.results = results
        self.initial = self._initial_checkpoint()
        self.folder = results / spec.name

    def run(self, console: Console, started: float) -> SweepResult:
        """Do what is left of the sweep."""
        with contextlib.ExitStack() as stack:
            background = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
            stack.enter_context(terminate_as_interrupt())
            stack.enter_context(_disk_told(self.folder))
            cluster = stack.enter_context(Cluster(self.spec.resources, user_modules(self.spec)))
            cluster.check()
            with Steps(console) as say:
                say("preparing the data")
                data, factory = self._ready(cluster, background, say)
                mirror = stack.enter_context(open_mirror(self.folder) or contextlib.nullcontext())
                store = stack.enter_context(contextlib.closing(self._open_store()))
                stack.enter_context(log_to(self.folder, console))
                for repair in store.repairs:
                    log.warning("%s", repair)
                self._check_same_sweep(store, data)
                factory = factory.with_precisions(
                    settle_precision(
                        self.spec, self.spaces, factory, store, cluster, data, self.initial, say
                    )
                )
                coordinator = self._coordinate(store, factory)
                self._write_beside(store, data)
                if not coordinator.finished:
                    say("starting Ray")
                    cluster.start()
            background.submit(importlib.import_module, "picosweep.analysis.report")
            interrupted = False
            if not coordinator.finished:
                interrupted = self._train(coordinator, store, data, cluster, console, mirror)
            log.info("training has ended")
            for remark in coordinator.remarks():
                log.info(remark)
            if interrupted:
                store.note("interrupted", "interrupted")
            elif coordinator.stop_reason:
                store.note("limit", coordinator.stop_reason)
            store.seal()
            # What Tune left in cycles holds objects of Ray's; Ray ends the process (code 1) when it
            # is asked to free one while it is being stopped in another thread.
            gc.collect()
            stopping = background.submit(cluster.stop)
            report = self._report()
            stopping.result()
            log.info("the report is written, Ray has stopped")
            return self._result(store, coordinator, report, interrupted, cluster, started)

    def _ready(
        self,
        cluster: Cluster,
        background: concurrent.futures.Executor,
        say: Callable[[str], None],
    ) -> tuple[SweepData, CandidateFactory]:
        """Everything that can turn out to be bad input, before anything is written."""
        preparing = background.submit(self._prepare, say)
        # What is wrong with the data mostly shows at once: say so before Ray takes its seconds.
        concurrent.futures.wait([preparing], timeout=0.5)
        if not preparing.done() and not (self.folder / "journal").exists():
            cluster.start()  # certain to be needed: let it start while the data is prepared
        data = preparing.result()
        factory = CandidateFactory(
            self.spec,
            self.architectures,
            data.metas,
            self.constraints,
            None if self.initial is None else weights_fingerprint(self.initial),
        )
        check_feasibility(self.spec, self.spaces, factory, self.document)
        return data, factory

    def _initial_checkpoint(self) -> bytes | None:
        if self.spec.init_from is None:
            return None
        folder, row = find_trial(self.spec.init_from, self.results)
        found = read_checkpoint(folder, row["trial_id"])
        if found is None:
            raise input_error(
                "this trial has no checkpoint to start from",
                where=self.document.where(("init_from",)),
                key="init_from",
                found=self.spec.init_from,
            )
        return found.content

    def _open_store(self) -> Store:
        classes = {name: found.config_class for name, found in self.architectures.items()}
        shared = {"training": TrainingConfig, "data": DataSettings}
        return Store(self.folder, column_types(classes | shared))

    def _coordinate(self, store: Store, factory: CandidateFactory) -> Coordinator:
        return Coordinator(
            spec=self.spec,
            spaces=self.spaces,
            factory=factory,
            store=store,
            elsewhere=find_elsewhere(self.results, self.spec.name),
        )

    def _prepare(self, say: Callable[[str], None]) -> SweepData:
        data = prepare_all(self.spec, self.document, self.spaces, self.results, say)
        log.info("the data is prepared: %s", data.own.meta.source)
        return data

    def _comparable(self, data: SweepData) -> dict[str, Any]:
        """What all trials of one results folder must share, or early stopping compares nothing."""
        budget = self.spec.budget
        return {
            "task": self.spec.task,
            "data": data.fingerprint,
            "objective": self.spec.objectives[0].model_dump(),
            "budget": [budget.unit, budget.min, budget.factor, budget.reports_per_rung],
            "evaluation": self.spec.evaluation.model_dump(),
        }

    def _check_same_sweep(self, store: Store, data: SweepData) -> None:
        before = store.read_json("spec.json")
        if not store.trials or before is None:
            return
        now = self._comparable(data)
        changed = [name for name in now if before.get("comparable", now).get(name) != now[name]]
        if changed:
            raise input_error(
                f"this folder holds a sweep whose {', '.join(changed)} differed from this spec's",
                where=str(self.folder),
                hint="give the spec another name, or move the folder away",
            )

    def _write_beside(self, store: Store, data: SweepData) -> None:
        resolved = self.spec.model_dump(mode="json")
        store.write_json("spec.json", resolved | {"comparable": self._comparable(data)})
        store.write_json("environment.json", describe_environment())
        if store.read_json("data.json") is None:
            store.write_json("data.json", data.describe())
            for name, content in data.tokenizers().items():
                store.write_text(name, content)

    def _train(
        self,
        coordinator: Coordinator,
        store: Store,
        data: SweepData,
        cluster: Cluster,
        console: Console,
        mirror: Mirror | None,
    ) -> bool:
        """Run trials until none is left; whether the user interrupted it."""
        from picosweep.sweeps.workers.tune_runner import run_tune  # noqa: PLC0415 - imports Ray, see `Cluster`

        log.info("training begins in %d slots", cluster.slots)
        heartbeat = Heartbeat(coordinator, store, cluster.slots)
        with LiveView(console, self.spec, cluster.slots) as view:

            def beat() -> None:
                view.update(coordinator)
                heartbeat.beat()
                if mirror is not None:
                    mirror.when_due()

            try:
                run_tune(
                    coordinator,
                    spec=self.spec,
                    data={name: cluster.share(d) for name, d in data.by_fingerprint.items()},
                    initial=self.initial,
                    beat=beat,
                    cluster=cluster,
                )
            except KeyboardInterrupt:
                return True
        return False

    def _report(self) -> Path | None:
        """Write the report; a sweep whose report fails is still a sweep."""
        from picosweep.analysis.report import write_report  # noqa: PLC0415 - seconds to import, see `run`

        try:
            return write_report([self.folder], self.folder / "report.html")
        except Exception:
            log.exception("the report could not be written; the tables are complete")
            return None

    def _result(
        self,
        store: Store,
        coordinator: Coordinator,
        report: Path | None,
        interrupted: bool,
        cluster: Cluster,
        started: float,
    ) -> SweepResult:
        status: Status = "completed"
        if interrupted:
            status = "interrupted"
        elif coordinator.too_many_failed:
            status = "failed"
        elif coordinator.stop_reason:
            status = "limited"
        result = SweepResult(
            folder=self.folder,
            report=report,
            status=status,
            reason="interrupted" if interrupted else coordinator.stop_reason or "",
            wall_seconds=time.monotonic() - started,
            busy_seconds=coordinator.busy_seconds,
            slots=cluster.slots,
            new_tokens=coordinator.new_tokens,
            trials=list(store.trials.values()),
            settings={name: space.searched for name, space in self.spaces.items()},
            ranking=Ranking.of(self.spec.objectives[0]),
            remarks=coordinator.remarks(),
        )
        sessions = (store.read_json("sessions.json") or []) + [result.session()]
        store.write_json("sessions.json", sessions)
        return result


@contextlib.contextmanager
def _disk_told(folder: Path) -> Iterator[None]:
    """Turn the answers of a full or failing disk into a message that says what to do.

    Raises:
        InputError: instead of the `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise input_error(
            f"results can no longer be written: {error.strerror or error}",
            where=str(folder),
            hint="make room and run the same command again; nothing reported was lost",
        ) from error


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM (`picosweep stop`, a cluster's notice) like Ctrl-C: leave in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
