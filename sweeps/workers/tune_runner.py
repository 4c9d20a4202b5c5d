"""One Tune run for a whole sweep: Ray schedules, the coordinator decides.

Tune sees a searcher that hands out the coordinator's assignments and a scheduler that passes
reports on to it. Trials that end early, resume, fail or are answered from the store look the same
to Tune: work that has ended. Its own experiment snapshot is never read.
"""

import collections
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Assignment
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.workers.actor import TrialActor
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.machine import processes_killed_for_memory
from picosweep.sweeps.workers.ray_private import (
    EndedTrials,
    KilledForMemoryError,
    kill_process,
    print_to_log,
    take_memory_for_death,
    take_waiting_processes,
)
from picosweep.sweeps.workers.work import Delivery, Work

LOST: Final = "the process that trained it died"
GRACE_SECONDS: Final = 30.0
"""Least time that a process which is silent for too long has to end itself, before it is killed."""
NO_MEMORY: Final = "the process that trained it was killed: its machine was out of memory"
LOST_NODE: Final = "its node left the cluster"
MAX_EXCUSES: Final = 10
"""Lost nodes that cost a trial no attempt; with more of them it may itself be the cause."""

log = logging.getLogger("picosweep")


class _Bridge:
    """Translates between Tune's trial ids and the coordinator's; keeps a fatal error.

    An exception that Tune catches would be retried or logged away. One that means the sweep
    cannot go on (a full disk) is kept here, and ends the run.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        work_of: Callable[[Assignment], Work],
        cluster: Cluster,
        silence_seconds: float,
    ) -> None:
        self.coordinator = coordinator
        self._work_of = work_of
        self._cluster = cluster
        self._silence_seconds = silence_seconds
        self.fatal: OSError | None = None
        self._trial_ids: dict[str, str] = {}
        self._heard_at: dict[str, float] = {}
        """When each running trial last started or reported, by Tune's id of it."""
        self._nodes_lost_before: dict[str, int] = {}
        self._times_excused: collections.Counter[str] = collections.Counter()
        self._killed_for_memory = processes_killed_for_memory()

    def suggest(self, tune_id: str) -> dict[str, Any] | str | None:
        if self.fatal is not None:
            return Searcher.FINISHED
        if len(self.coordinator.assigned) >= self._cluster.recount():
            return None
        try:
            assignment = self.coordinator.next()
        except OSError as error:
            self.fatal = error
            return Searcher.FINISHED
        if assignment is None:
            return Searcher.FINISHED if self.coordinator.finished else None
        self._trial_ids[tune_id] = assignment.candidate.trial_id
        self._nodes_lost_before[tune_id] = self._cluster.lost_nodes
        return {"work": self._work_of(assignment)}

    def start(self, tune_id: str) -> None:
        """Record that a trial has got its process."""
        self._heard_at[tune_id] = time.monotonic()
        try:
            self.coordinator.on_start(self._trial_ids[tune_id])
        except OSError as error:
            self.fatal = error

    def report(self, tune_id: str, delivery: Delivery) -> bool:
        """Pass a delivery on; return whether the trial is to stop."""
        trial_id = self._trial_ids[tune_id]
        self._heard_at[tune_id] = time.monotonic()
        if self.fatal is not None:
            return True
        stop = self._deliver(trial_id, delivery)
        if stop:
            self._forget(tune_id)
        return stop

    def _deliver(self, trial_id: str, delivery: Delivery) -> bool:
        try:
            if delivery.error is not None:
                log.warning("trial %s failed: %s", trial_id, delivery.error)
                self.coordinator.on_lost(trial_id, delivery.error, retry=False, kind="failed")
                return True
            checkpoint, delivery.checkpoint = delivery.checkpoint, None  # Tune keeps results
            return self.coordinator.on_report(
                trial_id,
                delivery.metrics,
                checkpoint=checkpoint,
                asked=delivery.asked,
                asked_seconds=delivery.asked_seconds,
                finished=delivery.finished,
                node=delivery.node,
                device=delivery.device,
            )
        except OSError as error:
            self.fatal = error
            return True

    def lost(self, tune_id: str, told: str = "") -> None:
        """Record that a trial's process is gone.

        Args:
            tune_id: Tune's id of the trial.
            told: what Ray says of it.
        """
        trial_id = self._trial_ids.get(tune_id)
        if trial_id is None:
            return  # it had ended before
        kind, reason = self._why_lost(tune_id, trial_id, told)
        log.warning("trial %s: %s", trial_id, reason)
        try:
            self.coordinator.on_lost(trial_id, reason, retry=True, kind=kind)
        except OSError as error:
            self.fatal = error
        self._forget(tune_id)

    def _why_lost(self, tune_id: str, trial_id: str, told: str) -> tuple[str, str]:
        """Return the kind of incident, and what happened."""
        if self._silence(tune_id) >= self._silence_seconds:
            minutes = self._silence_seconds / 60
            return "hung", f"no report within {minutes:g} minutes, its process was ended"
        self._cluster.find_lost_nodes()
        # Ray does not say of an actor that died whether its node died with it.
        node_lost = self._cluster.lost_nodes > self._nodes_lost_before[tune_id]
        if node_lost and self._times_excused[trial_id] < MAX_EXCUSES:
            self._times_excused[trial_id] += 1
            return "node", LOST_NODE
        killed, before = processes_killed_for_memory(), self._killed_for_memory
        self._killed_for_memory = killed
        if KilledForMemoryError.__name__ in told or killed > before:
            return "lost", NO_MEMORY
        return "lost", LOST

    def silent(self) -> set[str]:
        """Return Tune's ids of trials whose process should have ended itself for its silence."""
        allowed = self._silence_seconds + max(GRACE_SECONDS, self._silence_seconds)
        return {tune_id for tune_id in self._heard_at if self._silence(tune_id) > allowed}

    def _silence(self, tune_id: str) -> float:
        return time.monotonic() - self._heard_at.get(tune_id, time.monotonic())

    def _forget(self, tune_id: str) -> None:
        self._heard_at.pop(tune_id, None)
        self._trial_ids.pop(tune_id, None)
        self._nodes_lost_before.pop(tune_id, None)


class _SweepSearcher(Searcher):
    def __init__(self, bridge: _Bridge) -> None:
        super().__init__(metric=None, mode=None)
        self._bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        return self._bridge.suggest(trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Leave the end of a trial to the scheduler, which has passed it on already."""

    def save(self, checkpoint_path: str) -> None:
        """Write no state: a sweep resumes from its journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Read no state: a sweep resumes from its journal."""


class _SweepScheduler(FIFOScheduler):
    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._bridge = bridge
        self._ended = EndedTrials()

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Choose no trial, so that Tune gives a free actor to one that has none yet.

        The default names the longest waiting trial, although its own actor is being started
        elsewhere; that one is then thrown away. Where trials are shorter than the start of an
        actor, only the first actors ever train anything.
        """
        # Asked once a step, when no trial is between two states.
        self._ended.forget_in(tune_controller)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        stop = self._bridge.report(trial.trial_id, result["delivery"])
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._ended.add(trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        told = ""
        with contextlib.suppress(OSError, TypeError):  # no file, or no name of one
            told = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        self._bridge.lost(trial.trial_id, told)
        self._ended.add(trial)


class _Pulse(TrialProgressCallback):
    """Calls back a few times a second from Tune's own loop, so that no thread is needed.

    It stands in for the callback that Tune adds otherwise, which holds on to every trial.
    """

    def __init__(self, bridge: _Bridge, beat: Callable[[], None]) -> None:
        super().__init__()
        self._bridge = bridge
        self._beat = beat
        self._ended: set[str] = set()

    def log_result(self, trial: Any, result: Any, error: bool = False) -> None:
        """Print no table: the sweep's observer shows what there is to see."""

    def on_trial_complete(self, *args: Any, **info: Any) -> None:
        """Keep no trial: one that has ended must leave the driver's memory."""

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._bridge.start(trial.trial_id)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._beat()
        for tune_id in self._bridge.silent() - self._ended:
            self._ended.add(tune_id)
            (trial,) = (trial for trial in trials if trial.trial_id == tune_id)
            # A process that is stopped or stuck in the kernel cannot end itself.
            kill_process(trial)


class TuneRunner:
    """Trains on Ray: see `runner.Runner`.

    Args:
        spec: what a trial occupies, and after which silence its process is ended.
        cluster: where to run, and how many trials at once.
        trainable: actor that is given a `Work` and returns a `Delivery` per step; a benchmark of
            everything around the training takes one that does not train.
    """

    def __init__(
        self, spec: Spec, cluster: Cluster, trainable: type[tune.Trainable] = TrialActor
    ) -> None:
        self._spec = spec
        self._cluster = cluster
        self._trainable = trainable

    def run(
        self,
        coordinator: Coordinator,
        work_of: Callable[[Assignment], Work],
        beat: Callable[[], None],
    ) -> None:
        """Run until the coordinator has no more work.

        Raises:
            InputError: a node has joined that has other code.
            OSError: results could not be written any more.
            KeyboardInterrupt: `beat` raised it to stop the sweep.
        """
        print_to_log()
        take_memory_for_death()
        take_waiting_processes()
        silence_seconds = 60 * self._spec.limits.minutes_without_report
        bridge = _Bridge(coordinator, work_of, self._cluster, silence_seconds)
        wanted = self._spec.resources
        request = {"CPU": wanted.cpu} | ({"GPU": wanted.gpu} if wanted.gpu else {})
        with tempfile.TemporaryDirectory(prefix="picosweep-") as folder:
            # `tune.run`, not `tune.Tuner`: that pickles the searcher, and with it the results.
            tune.run(
                self._trainable,
                name="tune",
                storage_path=folder,
                resources_per_trial=tune.PlacementGroupFactory([request], strategy="SPREAD"),
                search_alg=_SweepSearcher(bridge),
                scheduler=_SweepScheduler(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[_Pulse(bridge, beat)],
                raise_on_failed_trial=False,
                verbose=0,
                # In a notebook it would take one that clears the cell, whatever it is to say.
                progress_reporter=tune.CLIReporter(),
            )
        if bridge.fatal is not None:
            raise bridge.fatal
