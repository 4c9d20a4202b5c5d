"""What one driver costs with Ray underneath: `python -m benchmarks.tune_scale`.

The real Tune run, coordinator, journal and checkpoint files, with actors that train nothing: they
answer with a report at once, so that the driver is what is slow. Printed are, over the first and
the last thousand trials, the reports a second on the clock, the driver's processor time for a trial
and a report, and its memory; and how busy the machine was, since driver, Ray's processes and actors
share it.
"""

import argparse
import contextlib
import cProfile
import os
import pstats
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.driver_scale import (
    ALLOWED_GROWTH,
    NEEDED_REPORTS_PER_SECOND,
    SPEC,
    resident_bytes,
    spec_for,
)
from picosweep.sweeps.asking.plan import AskPlan
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.workers.cluster import Cluster
from picosweep.sweeps.workers.simulated import SimulatedData, simulated_sweep
from picosweep.sweeps.workers.simulated_actor import SimulatedActor
from picosweep.sweeps.workers.tune_runner import TuneRunner
from picosweep.sweeps.workers.work import Shared, WorkMaker

WARM_UP = 50
"""Trials at the start that are not counted: actors are being started."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What had been done and spent by one moment."""

    trials: int
    reports: int
    seconds: float
    driver_seconds: float
    """Processor time of the driver, the threads of Ray's library included."""
    ray_seconds: float
    """Processor time of Ray's own processes and of the actors."""
    machine_seconds: float
    """Processor time of everything on this machine."""
    driver_bytes: int


def _busy_seconds() -> float:
    """Return the processor time of all processes of this machine since it started."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _descendants_seconds() -> float:
    """Return the processor time of all processes that this one has started, and they in turn."""
    parents, spent = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ends while we look
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
            spent[int(path.parent.name)] = int(fields[11]) + int(fields[12])
    ours = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(spent[pid] for pid in ours - {os.getpid()}) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Records a moment whenever another hundred trials have ended."""

    def __init__(self, coordinator: Coordinator, store: Store) -> None:
        self._coordinator = coordinator
        self._store = store
        self._due = WARM_UP
        self.moments: list[Moment] = []

    def beat(self) -> None:
        """Record a moment if one is due; called after each of Tune's steps."""
        if self._coordinator.num_ended < self._due:
            return
        self._due += 100
        self.take()

    def take(self) -> None:
        """Record what has been done and spent by now."""
        self.moments.append(
            Moment(
                trials=self._coordinator.num_ended,
                reports=sum(map(len, self._store.rows["reports"].values())),
                seconds=time.monotonic(),
                driver_seconds=time.process_time(),
                ray_seconds=_descendants_seconds(),
                machine_seconds=_busy_seconds(),
                driver_bytes=resident_bytes(),
            )
        )


def _spent(name: str, start: Moment, end: Moment) -> tuple[float, float]:
    """Print what was spent between two moments; return reports per second, driver s per trial."""
    trials, reports = end.trials - start.trials, end.reports - start.reports
    seconds, driver = end.seconds - start.seconds, end.driver_seconds - start.driver_seconds
    ray = end.ray_seconds - start.ray_seconds
    busy = end.machine_seconds - start.machine_seconds
    print(
        f"{name}: {reports / seconds:,.0f} reports and {trials / seconds:,.0f} trials a second; "
        f"driver {1000 * driver / trials:.1f} ms a trial, {1000 * driver / reports:.2f} ms a "
        f"report, {(end.driver_bytes - start.driver_bytes) / trials / 1024:.1f} KiB a trial; "
        f"busy cores: driver {driver / seconds:.2f}, Ray and actors {ray / seconds:.2f}, "
        f"others {(busy - driver - ray) / seconds:.2f}"
    )
    return reports / seconds, driver / trials


def run(
    folder: Path, num_trials: int, slots: int, reports_per_rung: int, *, profile: bool = False
) -> list[Moment]:
    """Run a whole sweep of simulated actors; return a moment for every hundredth trial."""
    cpus = len(os.sched_getaffinity(0))
    content = spec_for(num_trials, "random") | {
        "resources": {"cpu": cpus / slots},
        "budget": SPEC["budget"] | {"reports_per_rung": reports_per_rung},
    }
    coordinator, store = simulated_sweep(folder, content)
    spec = coordinator.spec
    watch = Watch(coordinator, store)
    data = Shared(folder=None, fingerprint=SimulatedData().fingerprint, reference=None)
    profiler = cProfile.Profile(time.thread_time)  # waiting costs nothing
    with Cluster(spec.resources) as cluster:
        cluster.start()
        if profile:
            profiler.enable()
        own_code = cluster.own_code({})
        work = WorkMaker(spec, AskPlan(), {data.fingerprint: data}, own_code, initial={})
        TuneRunner(spec, cluster, SimulatedActor).run(coordinator, work.work_of, watch.beat)
        profiler.disable()
    assert coordinator.finished
    watch.take()
    store.close()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(90)
    return watch.moments


def main() -> int:
    """Measure, print, and return 0 if rate and growth are good, otherwise 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=3_000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--window", type=int, default=1_000)
    parser.add_argument("--reports-per-rung", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picosweep-tune-") as folder:
        moments = run(
            Path(folder),
            arguments.trials,
            arguments.slots,
            arguments.reports_per_rung,
            profile=arguments.profile,
        )
    num_cores = len(os.sched_getaffinity(0))
    print(f"{num_cores} cores, {arguments.slots} slots, load {os.getloadavg()[0]:.1f}")
    running = moments[:-1]
    early = next(
        m for m in running if m.trials >= min(WARM_UP + arguments.window, running[-1].trials)
    )
    late = next(m for m in running if m.trials >= running[-1].trials - arguments.window)
    _, first = _spent("the first trials", running[0], early)
    _, last = _spent("the last trials", late, running[-1])
    rate, _ = _spent("all", running[0], running[-1])
    end = moments[-1].seconds - running[-1].seconds
    print(f"to the end of Tune's run: {end:.1f} s, {moments[-1].driver_bytes / 2**20:.0f} MiB")
    good = rate >= NEEDED_REPORTS_PER_SECOND and last <= ALLOWED_GROWTH * first
    print(f"growth {last / first:.2f} (≤ {ALLOWED_GROWTH})", "good" if good else "BAD")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
