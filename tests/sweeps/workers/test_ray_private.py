"""Tune forgets what has ended, and the sweep goes on all the same."""

import gc
import time
from pathlib import Path

import pytest
import ray
from ray.tune.experiment import Trial

from picosweep.sweeps.asking.plan import AskPlan
from picosweep.sweeps.workers import ray_private, tune_runner
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.machine import usable_cpus
from picosweep.sweeps.workers.ray_private import moved_names, take_memory_for_death
from picosweep.sweeps.workers.simulated_actor import SimulatedActor
from picosweep.sweeps.workers.tune_runner import TuneRunner
from picosweep.sweeps.workers.work import Shared, WorkMaker
from tests.sweeps.simulation import Simulation, spec_with


def _processes() -> set[str]:
    """Return the names of the logs of all processes that Ray has started for work."""
    folder = Path(ray_private.worker._global_node.get_logs_dir_path())
    return {path.name for path in folder.glob("worker-*.err")}


@pytest.mark.ray
@pytest.mark.slow
def test_ended_trials_leave_the_drivers_memory(tmp_path: Path) -> None:
    """However many have ended, only those that run and the next ones are held.

    And nothing is started beside Ray's own two processes but those that wait for work, in which
    trials are trained: no autoscaler, no dashboard, and no new process for an actor.
    """
    content = spec_with(search={"trials_per_architecture": 12, "sampler": "random"})
    simulation = Simulation(tmp_path, content)
    held: list[int] = []

    def beat() -> None:
        if simulation.coordinator.num_ended >= 20:
            held.append(sum(type(found) is Trial for found in gc.get_objects()))

    spec = simulation.coordinator.spec
    with Cluster(spec.resources) as cluster:
        cluster.start()
        shared = Shared(folder=None, fingerprint="data", reference=None)
        own_code = cluster.own_code({})
        work = WorkMaker(spec, AskPlan(), {"data": shared}, own_code, initial={})
        runner = TuneRunner(spec, cluster, trainable=SimulatedActor)
        end = time.monotonic() + 30
        while len(_processes()) < usable_cpus() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(3)  # as data is prepared: each has registered, and has waited for longer
        waiting = _processes()
        runner.run(simulation.coordinator, work.work_of, beat)
        most = 2 * cluster.slots + 2
        assert ray_private.worker._global_node.all_processes.keys() == {"gcs_server", "raylet"}
        assert _processes() == waiting
    assert simulation.coordinator.finished
    assert len(simulation.store.trials) == 28
    assert max(held) <= most
    simulation.kill()


def test_the_private_names_of_ray_are_where_they_were() -> None:
    """Another Ray may move them: then this says which, and `ray_private` has to follow."""
    moved = moved_names()
    assert not moved, (
        f"Ray {ray.__version__} has no {', '.join(moved)} any more; picosweep.sweeps.workers."
        "ray_private relies on it, and says what for"
    )


def test_a_moved_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one is looked for, not taken for granted."""
    monkeypatch.setattr(ray_private, "KEPT_IN", ("_live_trials", "_no_such_set"))
    monkeypatch.delattr(ray_private.worker, "print_to_stdstream")
    monkeypatch.setattr(ray_private.worker, "connect", None)
    monkeypatch.delattr(ray_private.RayActorManager, "_actor_task_failed")
    monkeypatch.setattr(ray_private.node, "Node", object)
    monkeypatch.setattr(ray_private.worker, "init", None)
    monkeypatch.setattr(ray_private, "_classes_of_actors", lambda: pytest)
    assert moved_names() == [
        "TuneController._no_such_set",
        "ray._private.worker.print_to_stdstream",
        "RayActorManager._actor_task_failed",
        "class_cache.DEFAULT_ENV_VARS",
        "RayParams.no_monitor",
        "RayParams.include_log_monitor",
        "Node.start_api_server",
        "ray._private.parameter.RayParams",
        "JobConfig._py_driver_sys_path",
    ]


def test_a_process_killed_for_memory_is_one_that_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune's own code takes this exception for a fault of its own and ends the whole run."""
    seen: list[Exception] = []
    manager = ray_private.RayActorManager
    monkeypatch.setattr(
        manager, "_actor_task_failed", lambda _self, _task, error: seen.append(error)
    )
    take_memory_for_death()
    take_memory_for_death()  # once is enough, and twice no harm
    killed = ray.exceptions.OutOfMemoryError("running low on memory")
    other = ValueError("of the user's")
    for error in (killed, other):
        manager._actor_task_failed(None, None, error)  # type: ignore[arg-type]
    assert isinstance(seen[0], ray.exceptions.RayActorError)
    assert str(seen[0]) == "KilledForMemoryError"
    assert seen[1] is other


def test_want_of_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Ray killed the process, or the kernel did: its counter has moved since."""
    kills = [3]
    monkeypatch.setattr(tune_runner, "processes_killed_for_memory", lambda: kills[0])
    content = spec_with(search={"trials_per_architecture": 4, "sampler": "random"})
    simulation = Simulation(tmp_path, content | {"limits": {"attempts": 9}})
    cluster = Cluster(simulation.coordinator.spec.resources)
    cluster.slots = 9
    bridge = tune_runner._Bridge(simulation.coordinator, lambda _: None, cluster, 60)  # type: ignore[arg-type]
    bridge.suggest("tune")
    for told, by_kernel, expected in [
        ("", 0, "the process that trained it died"),
        ("Failure # 1\nKilledForMemoryError", 0, "its machine was out of memory"),
        ("", 1, "its machine was out of memory"),
        ("", 0, "the process that trained it died"),
    ]:
        kills[0] += by_kernel
        bridge.lost("tune", told)
        assert expected in list(simulation.store.rows["incidents"].values())[-1][-1]["text"]
        bridge.suggest("tune")
    simulation.kill()
