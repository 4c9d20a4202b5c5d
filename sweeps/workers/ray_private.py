"""Every private name of Ray that Picosweep touches, and why it cannot do without.

A new Ray may move any of them. `moved_names` says which are gone, and a test fails with its answer;
until then each use does without what is missing.

- What Ray would print on the screen goes to our log: the trials' own messages say it more briefly.
- Tune keeps each trial to the end of its run, for a snapshot from which it could be restored and
  for the result that `tune.run` returns. We read neither. Kept, ten thousand trials are 330 MB of
  the driver's memory; and written into the snapshot when all is done, one after the other, they let
  the sweep's last minute pass with nothing being trained.
- Ray puts the driver's current folder first on every worker's search path, where a file of the
  user's that is called like a library's takes its place. The paths come with our own work.
- A process that Ray's own watch over a node's memory has killed is no actor's death to Tune: it
  ends the whole run by an exception that it did not expect.
- Ray starts as many processes as there are CPUs while the driver still prepares data, and gives
  them to the first actors: but not to Tune's, which want a variable of another library.
- A Ray of our own starts three Python processes that nothing here asks: the autoscaler, one that
  sends logs to the driver, and the dashboard's server. Without them it starts half a second and
  stops a second sooner, and leaves a second of processor time to the imports of the actors.
- A process that is stopped, or stuck in the kernel, can only be ended through its actor's handle.
"""

import contextlib
import functools
import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ray
from ray._private import node, parameter, worker
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.job_config import JobConfig

if TYPE_CHECKING:
    from ray.tune.experiment.trial import Trial

KEPT_IN: Final = ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache")
"""The sets of Tune's controller that hold a trial after its end."""

log = logging.getLogger("picosweep")


def moved_names() -> list[str]:
    """Return what this module relies on and this Ray does not have."""
    # Imported late: joining a cluster needs none of Tune, which takes two seconds.
    from ray.tune.execution.tune_controller import (  # noqa: PLC0415
        TrialRunnerWrapper,
        TuneController,
    )
    from ray.tune.experiment.trial import Trial, _TemporaryTrialState  # noqa: PLC0415

    attributes = {
        TuneController: (*KEPT_IN, "_trial_to_actor", "_trial_metadata"),
        TrialRunnerWrapper: ("_tune_controller",),
        Trial: ("temporary_state",),
        _TemporaryTrialState: ("ray_actor",),
    }
    moved = [
        f"{owner.__name__}.{name}"
        for owner, names in attributes.items()
        for name in names
        if f"self.{name}" not in inspect.getsource(owner)
    ]
    if not hasattr(worker, "print_to_stdstream"):
        moved.append("ray._private.worker.print_to_stdstream")
    if not hasattr(RayActorManager, "_actor_task_failed"):
        moved.append("RayActorManager._actor_task_failed")
    for found, text, name in (
        (_classes_of_actors(), "DEFAULT_ENV_VARS.copy()", "class_cache.DEFAULT_ENV_VARS"),
        (node.Node, "self._ray_params.no_monitor", "RayParams.no_monitor"),
        (node.Node, "self._ray_params.include_log_monitor", "RayParams.include_log_monitor"),
        (node.Node, "self.start_api_server(", "Node.start_api_server"),
        (worker.init, "ray._private.parameter.RayParams(", "ray._private.parameter.RayParams"),
        (worker.connect, "job_config._py_driver_sys_path.extend(", "JobConfig._py_driver_sys_path"),
    ):
        if text not in _source_of(found):
            moved.append(name)
    return moved


def _source_of(found: Any) -> str:
    try:
        return inspect.getsource(found)
    except (OSError, TypeError):  # it is something else now
        return ""


@contextlib.contextmanager
def few_processes() -> Iterator[None]:
    """Let a Ray that is started in a block do without what only others would ask."""
    parameters: Any = parameter
    head: Any = node.Node
    usual_parameters, usual_server = parameters.RayParams, head.start_api_server

    def with_few(*args: Any, **options: Any) -> Any:
        made = usual_parameters(*args, **options)
        made.no_monitor, made.include_log_monitor = True, False
        return made

    parameters.RayParams = with_few
    head.start_api_server = lambda *_, **__: None
    try:
        yield
    finally:
        parameters.RayParams, head.start_api_server = usual_parameters, usual_server


class JobWithoutPaths(JobConfig):
    """A job whose workers search for modules where they themselves would."""

    @property
    def _py_driver_sys_path(self) -> list[str]:
        return []

    @_py_driver_sys_path.setter
    def _py_driver_sys_path(self, folders: list[str]) -> None:
        """Forget the folders that Ray names."""


def print_to_log() -> None:
    """Send what Ray prints of its processes to the sweep's log."""
    worker.print_to_stdstream = _to_log


def _to_log(data: Any, ignore_prefix: bool) -> Any:
    for line in data.get("lines", ()):
        log.info("ray: %s", line)


def take_waiting_processes() -> None:
    """Let Tune's actors be the processes that Ray has started already.

    Tune asks for `PL_DISABLE_FORK`, which is for PyTorch Lightning, in each actor's environment;
    with any of its own an actor gets a new process, which takes seconds to import torch.
    """
    wanted: Any = getattr(_classes_of_actors(), "DEFAULT_ENV_VARS", None)
    if isinstance(wanted, dict):
        wanted.clear()


def _classes_of_actors() -> Any:
    from ray.tune.execution import class_cache  # noqa: PLC0415 - Tune takes two seconds

    return class_cache


def kill_process(trial: "Trial") -> None:
    """End the process that trains one of Tune's trials, if it has one."""
    actor = getattr(getattr(trial, "temporary_state", None), "ray_actor", None)
    if actor is not None:
        ray.kill(actor)


class KilledForMemoryError(RayActorError):
    """The end of a process that Ray killed because its node was running out of memory."""

    def __str__(self) -> str:
        """Return a text to be known by: all that Tune passes on."""
        return type(self).__name__


def take_memory_for_death() -> None:
    """Let Tune take a process killed for memory for one that died."""
    failed = RayActorManager._actor_task_failed
    if getattr(failed, "takes_memory_for_death", False):
        return

    @functools.wraps(failed)
    def as_death(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = KilledForMemoryError()
        failed(self, tracked_actor_task, exception)

    as_death.takes_memory_for_death = True  # type: ignore[attr-defined]
    RayActorManager._actor_task_failed = as_death  # type: ignore[method-assign]


class EndedTrials:
    """Trials that have ended and that Tune still holds."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def add(self, trial: Any) -> None:
        """Record a trial whose end Tune is still processing."""
        self._waiting.append(trial)

    def forget_in(self, controller: Any) -> None:
        """Remove what has ended from a controller, between two of its steps.

        Where another Ray keeps them elsewhere too, they stay there, as they would without us.

        Args:
            controller: a `TuneController`, or the view of it that a scheduler is given.
        """
        controller = getattr(controller, "_tune_controller", controller)
        waiting, self._waiting = self._waiting, []
        for trial in waiting:
            if not trial.is_finished() or trial in getattr(controller, "_trial_to_actor", ()):
                self._waiting.append(trial)
                continue
            with contextlib.suppress(ValueError):
                controller.get_trials().remove(trial)
            for name in KEPT_IN:
                getattr(controller, name, set()).discard(trial)
            getattr(controller, "_trial_metadata", {}).pop(trial.trial_id, None)
            with contextlib.suppress(OSError, TypeError):
                Path(trial.local_path).rmdir()  # Tune would copy it to its storage
