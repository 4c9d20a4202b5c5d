"""How much of a sweep is training? The same trials through several tools, in turns.

    python -m benchmarks.sweep_efficiency [--floors 20 60 300] [--write docs/performance.md]

Thirty trials of three architectures run to the end and report three times each, in two slots. The
floor is what two plain processes take that train them one after the other and do nothing else,
their start included. All tools train with the same code, one thread each, and come to the same
losses. Only Picosweep keeps checkpoints, tables, texts and a report.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
import psutil
from rich.console import Console
from rich.progress import Progress

from benchmarks.pages import surroundings
from benchmarks.sweep_efficiency.page import section, write_section
from benchmarks.sweep_efficiency.workload import RUNGS, SLOTS, Workload, spec
from picosweep.sweeps.search.candidates import stored_trial

OURS: Final = "picosweep"
TOOLS: Final = ("bare", OURS, "tune_documented", "tune_tuned", "optuna", "syne_tune")
ROOT: Final = Path(__file__).parent.parent.parent
SLOW: Final = ("tune_documented", "syne_tune")
"""They start a process a trial, which takes them a minute more, whatever the floor is."""
SLOW_BELOW: Final = 30.0
"""Seconds of floor below which these take part, in one round."""
LONG: Final = 200.0
"""Seconds of floor from which one round of the tools in `BRIEF` must do."""
BRIEF: Final = ("bare", OURS, "optuna")

FIRST_STEPS: Final = 90
SAMPLE_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of one tool took."""

    tool: str
    round: int
    seconds: float
    """From the command to its end."""
    busy_seconds: float
    """Training and evaluating, over all slots."""
    peak_bytes: int
    """Memory of all its processes, shared pages counted once (PSS)."""
    best_loss: float
    trials: int


class _Memory(threading.Thread):
    """Looks at the memory of a process and its descendants until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.peak = 0

    def run(self) -> None:
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in (self._root, *self._root.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)
            time.sleep(SAMPLE_SECONDS)


def _timed(command: Sequence[str], folder: Path) -> tuple[float, int]:
    with (folder / "output.txt").open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output,
            env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip
        memory = _Memory(process.pid)
        memory.start()
        code = process.wait()
        seconds = time.perf_counter() - started
    if code:
        raise RuntimeError(f"{' '.join(command)}:\n{(folder / 'output.txt').read_text()[-2000:]}")
    return seconds, memory.peak


def ours(folder: Path, steps: int, number: int) -> tuple[Run, Workload]:
    """Run them as a sweep, data prepared beforehand as for the others."""
    (folder / "spec.json").write_text(json.dumps(spec(steps)))
    shutil.rmtree(folder / "results" / "efficiency", ignore_errors=True)
    code = "from picosweep.cli import main; main()"
    seconds, peak = _timed([sys.executable, "-c", code, "run", "spec.json"], folder)
    trials = pl.read_parquet(folder / "results/efficiency/trials/*.parquet").sort("start_time")
    run = Run(
        tool=OURS, round=number, seconds=seconds, busy_seconds=float(trials["seconds"].sum()),
        peak_bytes=peak, best_loss=float(trials["val_loss"].to_numpy().min()), trials=trials.height,
    )  # fmt: skip
    (data,) = (path.parent for path in (folder / "results").glob(".cache/data/*/meta.json"))
    work = Workload(
        trials=[stored_trial(json.loads(text)).to_dict() for text in trials["config"]],
        data=str(data),
        steps=steps,
    )
    return run, work


def theirs(tool: str, folder: Path, work: Workload, python: str, number: int) -> Run:
    """Run them through another tool, in a folder of its own."""
    log = folder / f"{tool}-{number}"
    log.mkdir()
    work.write(log / "workload.json")
    module = "benchmarks.sweep_efficiency.tools"
    command = [python, "-m", module, tool, str(log / "workload.json"), str(log)]
    seconds, peak = _timed(command, log)
    told = [json.loads((log / f"{n}.json").read_text()) for n in range(len(work.trials))]
    return Run(
        tool=tool, round=number, seconds=seconds, peak_bytes=peak, trials=len(told),
        busy_seconds=sum(one["seconds"] for one in told),
        best_loss=min(one["val_loss"] for one in told),
    )  # fmt: skip


def peers_python(folder: Path) -> str:
    """Make an environment that has ours and Syne Tune, and return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for site in folder.glob("lib/python*/site-packages"):
            (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
        install = [str(python), "-m", "pip", "install", "--quiet", "syne-tune"]
        subprocess.run(install, check=True)
    return str(python)


def turns_at(floor: float, rounds: int, tools: Sequence[str]) -> list[tuple[int, str]]:
    """Return whose turn it is when: round and tool, each round in an order of its own."""
    if floor >= LONG:
        return [(0, tool) for tool in tools if tool in BRIEF]
    turns = []
    for number in range(rounds):
        first = number % len(tools)
        turns += [
            (number, tool)
            for tool in (*tools[first:], *tools[:first])
            if tool not in SLOW or (number == 0 and floor < SLOW_BELOW)
        ]
    return turns


def measure(floor: float, turns: Sequence[tuple[int, str]], python: str) -> dict[str, Any]:
    """Let the tools take turns at trials that take two plain processes about so many seconds."""
    with TemporaryDirectory() as name, Progress(console=Console(stderr=True)) as progress:
        folder = Path(name)
        bar = progress.add_task(f"{floor:g} s of floor", total=2 + len(turns))
        _, work = ours(folder, FIRST_STEPS, -1)
        progress.advance(bar)
        first = theirs("bare", folder, work, python, -1)
        progress.advance(bar)
        start = first.seconds - first.busy_seconds / SLOTS
        steps = FIRST_STEPS * (floor - start) / (first.seconds - start)
        steps = max(9, 9 * round(steps / 9))
        shutil.rmtree(folder / "bare--1")
        work = replace(work, steps=steps)
        runs: list[Run] = []
        for number, tool in turns:
            progress.update(bar, description=f"{floor:g} s of floor: {tool}")
            if tool == OURS:
                runs.append(ours(folder, steps, number)[0])
            else:
                runs.append(theirs(tool, folder, work, python, number))
            progress.advance(bar)
    losses = {round(run.best_loss, 6) for run in runs}
    if len(losses) > 1:
        raise RuntimeError(f"the tools did not train the same: best losses {sorted(losses)}")
    return {
        "floor": floor,
        "steps": steps,
        "reports": RUNGS,
        "runs": [asdict(run) for run in runs],
    }


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--floors", type=float, nargs="+", default=[20.0, 60.0, 300.0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--peers", type=Path, default=ROOT / "results" / "peers")
    parser.add_argument("--write", type=Path, help="page whose section is replaced")
    given = parser.parse_args()
    python = peers_python(given.peers) if "syne_tune" in given.tools else sys.executable
    content: dict[str, Any] = {**surroundings(), "slots": SLOTS, "found": []}
    for floor in given.floors:
        turns = turns_at(floor, given.rounds, given.tools)
        content["found"].append(measure(floor, turns, python))
        sys.stdout.write("\n".join(section(content, "")) + "\n")
        sys.stdout.flush()
    if given.write is not None:
        write_section(given.write, content)


if __name__ == "__main__":
    main()
