"""What the service costs beside a sweep, and how quick it is with ten thousand trials.

    python -m benchmarks.service_load [--watchers 1000] [--seconds 20]

A simulated sweep of ten thousand trials lies in the results folder; a writer goes on appending to
its journal, as a driver does. Printed: the time of its page, cold and warm; the 99th percentile of
requests at a steady rate; by how much a process that computes on one core is slowed while a
thousand watchers are told of every change, in turns with none; and the service's memory.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from picosweep.sweeps.store.journal import Journal
from picosweep.sweeps.workers.simulated import (
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)

SWEEP: Final = "large"
TURNS: Final = 3
TURN_SECONDS: Final = 6.0
RATE: Final = 200
REPORTS_A_SECOND: Final = 20


def spec(trials: int) -> dict[str, Any]:
    """Return a sweep of so many trials over two architectures."""
    return {
        "name": SWEEP,
        "data": {"source": "pydocs", "tokenizer": {"kind": "char"}, "block_size": 16},
        "budget": {"unit": "steps", "min": 10, "factor": 3, "rungs": 3},
        "search": {"sampler": "random", "trials_per_architecture": trials // 2},
        "architectures": {
            "kgram": {"hidden_size": {"int_uniform": [8, 4096]}, "batch_size": [4, 8]},
            "lstm": {"hidden_size": {"int_uniform": [8, 4096]}, "batch_size": [4, 8]},
        },
    }


class Served:
    """A service in a process of its own."""

    def __init__(self, results: Path, port: int) -> None:
        command = [sys.executable, "-c", "from picosweep.cli import main; main()", "serve",
                   "--results", str(results), "--port", str(port)]  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.get("/health")
                return
            except OSError:
                time.sleep(0.05)

    def get(self, path: str) -> bytes:
        """Return the answer to a request."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return bytes(answer.read())

    def megabytes(self) -> float:
        """Return its resident memory."""
        return psutil.Process(self._process.pid).memory_info().rss / 1e6

    def seconds(self) -> float:
        """Return the processor time that it has taken."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


class Writer:
    """Appends to the sweep's journal, as a driver does, in a thread of the event loop."""

    def __init__(self, folder: Path, rows: list[Mapping[str, Any]]) -> None:
        self._journal, self._rows = Journal(folder), rows
        for _ in self._journal.read():
            pass

    async def write(self, seconds: float) -> None:
        """Write reports at a steady rate."""
        end = time.perf_counter() + seconds
        number = 0
        while time.perf_counter() < end:
            row = dict(self._rows[number % len(self._rows)])
            self._journal.append(("reports", row))
            number += 1
            await asyncio.sleep(1 / REPORTS_A_SECOND)


async def watch(port: int, counts: list[int], number: int) -> None:
    """Read events until the task is ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /api/sweeps/{SWEEP}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    writer.write(request.encode())
    try:
        while line := await reader.readline():
            counts[number] += line.startswith(b"event: changes")
    finally:
        writer.close()


def compute(seconds: float) -> float:
    """Return how many products of matrices a second one core makes: what a trial does."""
    a = np.random.default_rng(0).standard_normal((192, 192))
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        a @ a
        count += 1
    return count / seconds


async def with_watchers(port: int, watchers: int, writer: Writer, seconds: float) -> dict[str, Any]:
    """Return how fast two cores compute while so many watch, and how many events they had."""
    counts = [0] * watchers
    tasks = [asyncio.create_task(watch(port, counts, n)) for n in range(watchers)]
    await asyncio.sleep(2.0 if watchers else 0.1)
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c",
            f"from benchmarks.service_load import compute; print(compute({seconds}))",
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]  # fmt: skip
    await writer.write(seconds + 1)
    rates = [float((await one.communicate())[0]) for one in workers]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"rate": sum(rates), "events": min(counts, default=0)}


async def steady(port: int, seconds: float, paths: list[str]) -> list[float]:
    """Return the seconds of each answer at a steady rate of requests."""
    taken: list[float] = []

    async def one(path: str) -> None:
        started = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        head = await reader.readline()
        await reader.read()
        writer.close()
        if b" 200 " not in head:
            raise RuntimeError(f"{path}: {head.decode()}")
        taken.append(time.perf_counter() - started)

    tasks = []
    begin = time.perf_counter()
    for number in range(int(seconds * RATE)):
        await asyncio.sleep(max(0.0, begin + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(one(paths[number % len(paths)])))
    await asyncio.gather(*tasks)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--port", type=int, default=8643)
    given = parser.parse_args()
    console = Console()
    with TemporaryDirectory() as name:
        results = Path(name)
        with console.status(f"simulating a sweep of {given.trials:,} trials"):
            coordinator, store = simulated_sweep(results, spec(given.trials))
            SimulatedRunner(lottery()).run(coordinator, SimulatedTrial.of, lambda: None)
            rows: list[Any] = [
                {"trial_id": trial.trial_id, **report}
                for trial in list(coordinator.trials)[:50]
                for report in store.reports_of(trial.trial_id)
            ]
            store.close()
        served = Served(results, given.port)
        try:
            measure(served, results, rows, given.watchers, console)
        finally:
            served.stop()


def measure(
    served: Served, results: Path, rows: list[Any], watchers: int, console: Console
) -> None:
    """Print the figures of one service."""
    table = Table(title="the service", title_justify="left", show_header=False)
    page = f"/sweeps/{SWEEP}"
    seconds = []
    time.sleep(5.0)  # the service reads journals when it begins
    for _ in range(4):
        started = time.perf_counter()
        served.get(page)
        seconds.append(time.perf_counter() - started)
    table.add_row("a sweep's page, the first time", f"{seconds[0]:.2f} s")
    table.add_row("again, median of three", f"{statistics.median(seconds[1:]) * 1e3:.0f} ms")
    trial = json.loads(served.get(f"/api/sweeps/{SWEEP}/trials?limit=1"))["rows"][0]["trial_id"]
    paths = ["/api/sweeps", f"/api/sweeps/{SWEEP}", f"/api/sweeps/{SWEEP}/trials/{trial}",
             "/health", f"/api/sweeps/{SWEEP}/decisions"]  # fmt: skip
    taken = asyncio.run(steady(served.port, 10.0, paths))
    found = statistics.quantiles(taken, n=100)
    table.add_row(
        f"{RATE} requests a second: median, 99th percentile",
        f"{found[49] * 1e3:.1f} ms, {found[98] * 1e3:.1f} ms",
    )
    writer = Writer(results / SWEEP / "journal", rows)
    ratios, events, shares = [], [], []
    for _ in range(TURNS):
        without = asyncio.run(with_watchers(served.port, 0, writer, TURN_SECONDS))
        before = served.seconds(), time.perf_counter()
        with_all = asyncio.run(with_watchers(served.port, watchers, writer, TURN_SECONDS))
        shares.append((served.seconds() - before[0]) / (time.perf_counter() - before[1]))
        ratios.append(with_all["rate"] / without["rate"])
        events.append(with_all["events"])
    table.add_row(
        f"two cores that compute beside {watchers:,} watchers and their own work, over without",
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
    )
    table.add_row(
        "processor time of the service meanwhile", f"{statistics.median(shares):.0%} of one core"
    )
    table.add_row("events that each watcher had, at least", str(min(events)))
    table.add_row("memory of the service", f"{served.megabytes():.0f} MB")
    console.print(table)


if __name__ == "__main__":
    main()
