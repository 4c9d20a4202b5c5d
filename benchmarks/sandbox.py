"""What the sandbox stops, and what a program in it costs beside one in a fresh interpreter.

`python -m benchmarks.sandbox` prints every hostile program with the layer in its way and what
became of it; then the time of a harmless one, in turns with `python -I -S -c` for the same.
"""

import statistics
import subprocess
import sys
import time
from contextlib import closing

from rich.console import Console
from rich.table import Table

from picosweep.pico.sandbox.drills import run_drills
from picosweep.pico.sandbox.runner import Sandbox

CODE = "def f(a, b):\n    return a + b\n"
TURNS = 5
PROGRAMS = 50


def main() -> None:
    """Print both; end with 1 where a hostile program was not stopped."""
    console = Console()
    with closing(Sandbox()) as sandbox:
        console.print(f"sandbox: {sandbox.layers}")
        table = Table("program", "stopped by", "status", "detail", "as it should be")
        stopped = True
        for drill, outcome in run_drills(sandbox):
            holds = drill.holds(outcome)
            stopped &= holds
            table.add_row(
                drill.name,
                drill.stopped_by,
                outcome.ended,
                outcome.detail,
                "yes" if holds else "NO",
            )
        console.print(table)
        ours, fresh = [], []
        for _ in range(TURNS):
            ours.append(_milliseconds(lambda: sandbox.call(CODE, "f", [[1, 2]], seconds=10)))
            fresh.append(_milliseconds(_in_a_fresh_interpreter))
    console.print(
        f"a program: {statistics.median(ours):.1f} ms confined, "
        f"{statistics.median(fresh):.1f} ms in a fresh interpreter without confinement "
        f"(medians of {TURNS} turns of {PROGRAMS})"
    )
    sys.exit(0 if stopped else 1)


def _in_a_fresh_interpreter() -> None:
    call = [sys.executable, "-I", "-S", "-B", "-c", f"{CODE}print(f(1, 2))"]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


def _milliseconds(run: object) -> float:
    assert callable(run)
    started = time.perf_counter()
    for _ in range(PROGRAMS):
        run()
    return 1000 * (time.perf_counter() - started) / PROGRAMS


if __name__ == "__main__":
    main()
