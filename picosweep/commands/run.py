"""Running a sweep from a spec to its tables and its report: `picosweep.run(spec)`."""

import concurrent.futures
import contextlib
import errno
import gc
import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from picosweep.commands.environment import describe_environment
from picosweep.commands.logs import log_to
from picosweep.commands.observer import Observer
from picosweep.commands.result import Status, SweepResult
from picosweep.sweeps.asking.check import check_asked
from picosweep.sweeps.asking.plan import AskPlan, ask_plan
from picosweep.sweeps.data import SweepData, prepare_all
from picosweep.sweeps.data_in_words import data_in_words
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.limits import RESUMES, RETRY, Ending
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.initial_weights import initial_checkpoints, starting_weights
from picosweep.sweeps.pairs import check_pairs
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.search.setup import CheckedSweep, ReadySweep, check_sweep
from picosweep.sweeps.spec.user_code import user_modules
from picosweep.sweeps.store.atomic_write import replace_file, write_json
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.mirror import Mirror, local_results, open_mirror
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import ASKED_FOR
from picosweep.sweeps.workers.auto_precision import settle_precision
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.heartbeat import Heartbeat
from picosweep.sweeps.workers.late_answers import answer_late, sample_references

DISK_ERRORS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE}
)
"""Errors of a disk on which the results can no longer be written."""

HINTS: Final = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room in the quota",
    errno.EACCES: "give this user the right to use it",
    errno.EROFS: "choose a place that can be written to",
}

log = logging.getLogger("picosweep")


def run(
    spec: str | Path | Mapping[str, Any],
    *,
    results: str | Path = "results",
    retry_failed: bool = False,
    observer: Observer | None = None,
    seconds_before: float = 0.0,
) -> SweepResult:
    """Run a sweep, or what is left of it, and write its report.

    Args:
        spec: path of a YAML file, or the content of one.
        results: folder in which each sweep has a folder, or `s3://bucket/folder`.
        retry_failed: whether trials that failed in an earlier run are tried again.
        observer: object that is called with how far the sweep is; None for none.
        seconds_before: time that was spent before this call, to be counted as the sweep's.

    Returns:
        what was done, and where the results are.

    Raises:
        InputError: the spec, the data or the results folder cannot be used.
    """
    started = time.monotonic() - seconds_before
    checked = check_sweep(spec)
    observer = observer or Observer()
    folder = local_results(Path(results)).absolute()
    if checked.sft is not None:
        references = _Sweep(checked.sft, folder, retry_failed=retry_failed).run(observer, started)
        if references.status != "completed":
            return references
        checked = checked.starting_from(_references(references))
        started = time.monotonic()  # each sweep tells its own time
    return _Sweep(checked, folder, retry_failed=retry_failed).run(observer, started)


def _start(cluster: Cluster, background: concurrent.futures.Executor) -> None:
    """Start Ray, and import what is needed then while its processes are waited for."""
    background.submit(importlib.import_module, "picosweep.sweeps.workers.tune_runner")
    cluster.start()


def _import_report() -> None:
    """Import what writes the report, while trials still train."""
    importlib.import_module("picosweep.analysis.report").import_late_modules()


def _references(result: SweepResult) -> dict[str, str]:
    """Return the best trial of each architecture, which preference training starts from.

    Raises:
        InputError: an architecture has none.
    """
    winners = {one.row["architecture"]: one.row for one in result.ranking.winners(result.trials)}
    for name in result.settings:
        if name not in winners or winners[name]["status"] not in ("completed", "cached"):
            raise input_error(
                "no trial of this architecture can be the reference: none reached the last rung",
                where=str(result.folder),
                key=f"architectures.{name}",
                hint="another learning rate in sft, or more trials",
            )
    return {name: str(winners[name]["trial_id"]) for name in result.settings}


class _Sweep:
    """One call of `run`: what it holds open, and the order in which things are done."""

    def __init__(self, checked: CheckedSweep, results: Path, *, retry_failed: bool) -> None:
        self.checked = checked
        self.retry_failed = retry_failed
        self.spec = checked.spec
        self.results = results
        self.folder = results / checked.spec.name
        self.asked = AskPlan()
        """What trials are asked; what its files hold is known once the data is prepared."""
        self.of_data: list[str] = []
        """What is trained on, in sentences."""
        self.of_pairs: list[str] = []
        """How many pairs there are to prefer, in sentences."""
        self.initial = initial_checkpoints(checked.spec, checked.document, results)

    def run(self, observer: Observer, started: float) -> SweepResult:
        """Do what is left of the sweep."""
        with contextlib.ExitStack() as stack:
            background = concurrent.futures.ThreadPoolExecutor(2)
            # All of it has ended when a run does; an interrupt does not wait for it.
            stack.callback(background.shutdown, wait=False, cancel_futures=True)
            stack.enter_context(terminate_as_interrupt())
            stack.enter_context(_explain_disk_errors(self.folder, self.results))
            cluster = stack.enter_context(Cluster(self.spec.resources, user_modules(self.spec)))
            cluster.check()
            observer.say("preparing the data")
            data, sweep = self._prepare(cluster, background, observer)
            mirror = stack.enter_context(open_mirror(self.folder) or contextlib.nullcontext())
            store = stack.enter_context(
                contextlib.closing(Store(self.folder, self.checked.column_types()))
            )
            stack.enter_context(log_to(self.folder, observer.log))
            for repair in store.repairs:
                log.warning("%s", repair)
            self._check_same_sweep(store, data)
            sweep = sweep.with_formats(
                settle_precision(sweep, store, cluster, data, self.initial, observer.say)
            )
            coordinator = self._coordinate(store, sweep)
            self._write_beside(store, data)
            coordinator.answer_known()
            interrupted = False
            if not coordinator.finished:
                observer.say("starting Ray")
                _start(cluster, background)
                interrupted = self._train(
                    coordinator, store, data, cluster, observer, mirror, background
                )
            log.info("training has ended")
            remarks = [*data.reading, *self.of_pairs, *self.checked.remarks, *coordinator.remarks()]
            for remark in remarks:
                log.info(remark)
            if interrupted:
                store.note("interrupted", "interrupted")
            elif coordinator.ending:
                store.note("limit", coordinator.ending.reason)
            # What Tune left in cycles holds objects of Ray's; Ray ends the process (code 1) when it
            # is asked to free one while it is being stopped in another thread.
            gc.collect()
            stopping = background.submit(cluster.stop)
            if not interrupted:
                remarks += answer_late(
                    self.asked, coordinator.trials, store, data.by_fingerprint, observer.say
                )
                if self.spec.task == "preference":
                    sample_references(
                        self.asked,
                        coordinator.trials,
                        store,
                        data.by_fingerprint,
                        self.initial,
                        observer.say,
                    )
            observer.say("writing the report")
            store.seal()
            report = self._report()
            stopping.result()
            log.info("the report is written, Ray has stopped")
            return self._result(store, coordinator, report, interrupted, cluster, started, remarks)

    def _prepare(
        self, cluster: Cluster, background: concurrent.futures.Executor, observer: Observer
    ) -> tuple[SweepData, ReadySweep]:
        """Find whatever can turn out to be bad input, before the sweep's folder is written to."""
        checked = self.checked
        preparing = background.submit(prepare_all, checked, self.results, observer.say)
        # What is wrong with the data mostly shows at once: say so before Ray takes its seconds.
        concurrent.futures.wait([preparing], timeout=0.5)
        if not preparing.done() and not SweepFolder(self.folder).journal.exists():
            _start(cluster, background)  # certain to be needed, and the data takes its time
        data = preparing.result()
        log.info("the data is prepared: %s", data.own.meta.source)
        texts = check_asked(self.spec, checked.document, data.by_fingerprint.values())
        self.asked = ask_plan(self.spec, texts)
        starts = starting_weights(self.initial, checked.document)
        sweep = checked.with_data(data.metas, starts=starts)
        self.of_pairs = check_pairs(sweep, data)
        self.of_data = data_in_words(sweep, data)
        for sentence in self.of_data:
            log.info(sentence)
            observer.note(sentence)
        return data, sweep

    def _coordinate(self, store: Store, sweep: ReadySweep) -> Coordinator:
        return Coordinator(
            spec=self.spec,
            spaces=sweep.spaces,
            factory=sweep.factory,
            store=store,
            elsewhere=find_elsewhere(self.results, self.spec.name),
            retry_failed=self.retry_failed,
        )

    def _comparable(self, data: SweepData) -> dict[str, Any]:
        """Return what all trials of a sweep's folder must share for their losses to compare."""
        budget = self.spec.budget
        return {
            "task": self.spec.task,
            "data": data.fingerprint,
            "objective": self.spec.objectives[0].model_dump(),
            "budget": [budget.unit, budget.min, budget.factor, budget.reports_per_rung],
            "evaluation": self.spec.evaluation.model_dump(),
        }

    def _check_same_sweep(self, store: Store, data: SweepData) -> None:
        before = read_json(store.files.spec)
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
        scores = self.asked.needed & ASKED_FOR
        done = [row for row in store.trials.values() if row["status"] in ("completed", "cached")]
        if missing := {name for name in scores for row in done if row.get(name) is None}:
            raise input_error(
                f"this folder holds trials without {', '.join(sorted(missing))}, for which the "
                "sweep is to search now",
                where=str(self.folder),
                hint="give the spec another name: what can be answered from here, will be",
            )

    def _write_beside(self, store: Store, data: SweepData) -> None:
        resolved = self.spec.model_dump(mode="json")
        write_json(store.files.spec, resolved | {"comparable": self._comparable(data)})
        write_json(store.files.environment, describe_environment())
        if read_json(store.files.data) is None:
            write_json(store.files.data, data.describe() | {"in_words": self.of_data})
            for fingerprint, content in data.tokenizers().items():
                replace_file(store.files.tokenizer(fingerprint), content.encode())

    def _train(
        self,
        coordinator: Coordinator,
        store: Store,
        data: SweepData,
        cluster: Cluster,
        observer: Observer,
        mirror: Mirror | None,
        background: concurrent.futures.Executor,
    ) -> bool:
        """Run trials until none is left; return whether the user interrupted it."""
        # Imported late: they import Ray, see `Cluster`.
        from picosweep.sweeps.workers.tune_runner import TuneRunner  # noqa: PLC0415
        from picosweep.sweeps.workers.work import WorkMaker  # noqa: PLC0415

        log.info("training begins in %d slots", cluster.slots)
        heartbeat = Heartbeat(coordinator, store, cluster.slots)
        shared = {name: cluster.share(one) for name, one in data.by_fingerprint.items()}
        own_code = cluster.own_code(self.checked.code_hashes())
        work = WorkMaker(self.spec, self.asked, shared, own_code, self.initial)

        report_modules: concurrent.futures.Future[None] | None = None

        def beat() -> None:
            nonlocal report_modules
            observer.beat(coordinator, cluster.slots)
            heartbeat.beat()
            # Not before: until then the trials' processes are importing torch.
            if report_modules is None and coordinator.num_ended:
                report_modules = background.submit(_import_report)
            if mirror is not None:
                mirror.when_due()

        try:
            TuneRunner(self.spec, cluster).run(coordinator, work.work_of, beat)
        except KeyboardInterrupt:
            return True
        return False

    def _report(self) -> Path | None:
        """Write the report; return None where that fails, for the sweep is complete without it."""
        # Imported late: it takes seconds, see `run`.
        from picosweep.analysis.report import write_report  # noqa: PLC0415

        try:
            return write_report([self.folder], SweepFolder(self.folder).report)
        except Exception as error:
            log.exception(
                "the report could not be written (%s: %s); the tables are complete, and"
                " `picosweep report %s` tries again",
                type(error).__name__,
                str(error).partition("\n")[0],
                self.spec.name,
            )
            return None

    def _result(
        self,
        store: Store,
        coordinator: Coordinator,
        report: Path | None,
        interrupted: bool,
        cluster: Cluster,
        started: float,
        remarks: list[str],
    ) -> SweepResult:
        status: Status = "completed"
        ending = coordinator.ending
        if interrupted:
            status = "interrupted"
            ending = Ending(reason="interrupted", advice=RESUMES)
        elif coordinator.too_many_failed:
            status = "failed"
        elif ending:
            status = "limited"
        elif coordinator.all_failed:
            status = "failed"
            ending = Ending(reason="every trial failed", advice=RETRY)
        result = SweepResult(
            folder=self.folder,
            report=report,
            status=status,
            reason=ending.reason if ending else "",
            advice=ending.advice if ending else "",
            wall_seconds=time.monotonic() - started,
            busy_seconds=coordinator.busy_seconds,
            slots=cluster.slots,
            new_tokens=coordinator.new_tokens,
            trials=list(store.trials.values()),
            settings={name: space.searched for name, space in self.checked.spaces.items()},
            ranking=Ranking.of(self.spec.objectives[0]),
            remarks=remarks,
        )
        sessions = (read_json(store.files.sessions) or []) + [result.session()]
        write_json(store.files.sessions, sessions)
        return result


@contextlib.contextmanager
def _explain_disk_errors(folder: Path, results: Path) -> Iterator[None]:
    """Turn the errors of a full or failing disk into a message that says what to do.

    The error names the file where it knows it; the results' folder is blamed for its own alone.

    Raises:
        InputError: in place of an `OSError` of `DISK_ERRORS`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        told = error.strerror or str(error)
        named = Path(os.fsdecode(error.filename)) if error.filename else folder
        if not named.absolute().is_relative_to(results):
            message = f"the file cannot be used: {told}"
            raise input_error(message, where=str(named), hint=HINTS.get(error.errno, "")) from error
        raise input_error(
            f"results can no longer be written: {told}",
            where=str(named),
            hint=HINTS.get(error.errno, "see to the disk")
            + " and run the same command again; nothing reported was lost",
        ) from error


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Treat an end that others ask for like Ctrl-C: seal the tables, then leave.

    SIGTERM comes from `picosweep stop` and from a cluster, SIGHUP from a terminal that is closed;
    under `nohup`, which ignores it, it stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        one: signal.signal(one, signal.default_int_handler)
        for one in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(one) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
