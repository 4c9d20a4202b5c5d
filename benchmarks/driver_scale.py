"""What one driver costs: `python -m benchmarks.driver_scale`, with trials that train nothing.

Each part is printed with the figure that it is held to:

- the coordinator (proposals, early stopping, journal, checkpoints) at 1,000 and 10,000 trials, with
  the random sampler, so that it is the driver's cost and not the sampler's; the cost with TPE is
  printed beside it,
- resuming the sweep of 10,000 trials.

Costs are processor time of the driver's process. Ray Tune underneath is not part of it: see
`tune_scale.py`.
"""

import argparse
import gc
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)

ALLOWED_GROWTH = 1.2
ALLOWED_RESUME_SECONDS = 10.0
NEEDED_REPORTS_PER_SECOND = 300.0
SPEC: dict[str, Any] = {
    "name": "simulated",
    "data": {"source": "stdlib", "block_size": 16},
    "budget": {"unit": "tokens", "min": 256, "factor": 3, "rungs": 3, "reports_per_rung": 2},
    "early_stopping": {"exempt_fraction": 0.2},
    "common": {"learning_rate": {"log_uniform": [1e-4, 1e-1]}, "batch_size": [4, 8]},
    "architectures": {"kgram": {"context_size": [1, 2, 3], "embed_size": [8, 16]}},
}


def spec_for(num_trials: int, sampler: str) -> dict[str, Any]:
    """Return a spec's content: one architecture over a continuous space."""
    return SPEC | {
        "search": {"trials_per_architecture": num_trials, "sampler": sampler, "startup_trials": 4},
    }


class Life:
    """Measurements of one simulated sweep, from its first trial to its last."""

    def __init__(self, folder: Path, num_trials: int, sampler: str = "random") -> None:
        gc.collect()
        before = resident_bytes()
        coordinator, self.store = simulated_sweep(folder, spec_for(num_trials, sampler))
        runner = SimulatedRunner(lottery(), slots=8)
        started = time.process_time(), time.monotonic()
        runner.run(coordinator, SimulatedTrial.of, lambda: None)
        assert coordinator.finished
        self.cpu_seconds = time.process_time() - started[0]
        self.seconds = time.monotonic() - started[1]
        self.num_reports = len(runner.delivered)
        self.bytes_per_trial = (resident_bytes() - before) / num_trials
        self.ms_per_trial = 1000 * self.cpu_seconds / num_trials


def resident_bytes() -> int:
    """Return the memory of this process that is not swapped out."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def coordinator_alone(folder: Path, few: int, many: int) -> bool:
    """Print cost and memory per trial at two sizes, and resuming; return whether all is good."""
    good = True
    Life(folder / "imports", 20).store.close()  # so that the first does not pay for them
    lives = {n: Life(folder / str(n), n) for n in (few, many)}
    for number, life in lives.items():
        rate = life.num_reports / life.cpu_seconds
        print(
            f"{number:6,} trials: {life.ms_per_trial:.2f} ms and "
            f"{life.bytes_per_trial / 1024:.1f} KiB a trial, {rate:,.0f} reports/s; "
            f"{life.num_reports / life.seconds:,.0f} on the clock"
        )
        good &= rate >= NEEDED_REPORTS_PER_SECOND
    growth = lives[many].ms_per_trial / lives[few].ms_per_trial
    print(f"cost of a trial at {many:,} over that at {few:,}: {growth:.2f} (≤ {ALLOWED_GROWTH})")
    lives[many].store.close()
    started, clock = time.process_time(), time.monotonic()
    again, store = simulated_sweep(folder / str(many), spec_for(many, "random"))
    seconds, waited = time.process_time() - started, time.monotonic() - clock
    assert again.finished
    store.close()
    print(
        f"resuming {many:,} trials: {seconds:.1f} s of processor time "
        f"(< {ALLOWED_RESUME_SECONDS:g}), {waited:.1f} s on the clock"
    )
    return good and growth <= ALLOWED_GROWTH and seconds < ALLOWED_RESUME_SECONDS


def sampler_cost(folder: Path, num_trials: int) -> None:
    """Print the cost of a trial with TPE, which grows with the number of trials it knows."""
    life = Life(folder / "tpe", num_trials, "tpe")
    life.store.close()
    print(f"for comparison, TPE at {num_trials:,} trials: {life.ms_per_trial:.1f} ms a trial")


def main() -> int:
    """Measure, print, and return 0 if every figure is good, otherwise 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--tpe", type=int, default=500, help="trials to measure TPE over")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picosweep-scale-") as temporary:
        folder = Path(temporary)
        if arguments.profile:
            import cProfile

            cProfile.runctx(
                "Life(folder / 'profiled', arguments.few)", globals(), locals(), sort="cumulative"
            )
            return 0
        good = coordinator_alone(folder, arguments.few, arguments.many)
        sampler_cost(folder, arguments.tpe)
    print("good" if good else "BAD")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
