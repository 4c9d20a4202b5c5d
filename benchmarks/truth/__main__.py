"""What the report's sentences are worth, measured on sweeps whose truth is known.

Sweeps are simulated over response surfaces with known losses: with the project's own samplers,
early stopping and confirmation, through the real tables, to the real sentences. Then each claim is
held against the truth: how often it is made where it is false, whether intervals hold what they
should, how often a real difference is found, and whether the same sentence comes again with new
seeds, or with a new search.

    python -m benchmarks.truth            # two hours: every world, 200 sweeps each
    python -m benchmarks.truth --quick    # minutes: a few worlds, with bounds that a mistake breaks
"""

import argparse
import concurrent.futures
import functools
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.truth.chapters import AUDIT, NULL, REAL, measure_audit, measure_chapters
from benchmarks.truth.counts import Counts, Share, as_markdown
from benchmarks.truth.first_screen import (
    BETTER,
    EIGHT,
    EQUAL,
    NOISY,
    TOP,
    measure_comparison,
    measure_first_screen,
)
from benchmarks.truth.scaling import LAWS, measure_scaling
from benchmarks.truth.worlds import World


@dataclass(frozen=True, kw_only=True)
class Task:
    """One world, and what is measured in it."""

    group: str
    world: str
    measure: Callable[[int], Counts]
    """From a number of sweeps to what was found in them."""
    slow: bool = False
    """Whether a sweep takes so long that a third as many have to do."""


Measure = Callable[[World, int], Counts]


def _tasks(group: str, worlds: tuple[World, ...], measure: Measure) -> list[Task]:
    return [
        Task(
            group=group,
            world=world.name,
            measure=functools.partial(measure, world),
            slow=world.sampler == "tpe" and world.trials >= 40,
        )
        for world in worlds
    ]


FIRST: Final = "The first screen"
SAME: Final = "Two searches of one space (--compare)"
IDLE: Final = "Settings that do nothing"
ONE: Final = "One setting that does something"
STOPPED: Final = "The audit of early stopping"
TASKS: Final = (
    *_tasks(FIRST, (*EQUAL, EIGHT, NOISY, TOP, *BETTER), measure_first_screen),
    *_tasks(SAME, EQUAL[:3], measure_comparison),
    *_tasks(IDLE, NULL, measure_chapters),
    *_tasks(ONE, REAL, measure_chapters),
    *_tasks(STOPPED, AUDIT, measure_audit),
    *(
        Task(group="Scaling", world=law.name, measure=functools.partial(measure_scaling, law))
        for law in LAWS
    ),
)
QUICK: Final = (
    *_tasks(FIRST, (EQUAL[1], NOISY, TOP, BETTER[2]), measure_first_screen),
    *_tasks(SAME, EQUAL[1:2], measure_comparison),
    *_tasks(IDLE, NULL[1:2], measure_chapters),
    *_tasks(ONE, REAL[1:2], measure_chapters),
    *_tasks(STOPPED, AUDIT[:1], measure_audit),
    Task(group="Scaling", world=LAWS[5].name, measure=functools.partial(measure_scaling, LAWS[5])),
)


def shares(task: Task, num_sweeps: int) -> list[Share]:
    """Return the share of each claim in a world."""
    found = task.measure(max(1, num_sweeps // 3) if task.slow else num_sweeps)
    return [
        Share(group=task.group, world=task.world, claim=claim, values=tuple(map(float, values)))
        for claim, values in found.items()
    ]


def main() -> None:
    """Measure every world, print a table, and end with 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a few worlds, 20 sweeps each")
    parser.add_argument("--sweeps", type=int, help="simulated sweeps of each world")
    parser.add_argument("--only", default="", help="groups of worlds whose name contains this")
    parser.add_argument("--write", type=Path, help="file for the table, as Markdown")
    options = parser.parse_args()
    num_sweeps = options.sweeps or (20 if options.quick else 200)
    tasks = [task for task in (QUICK if options.quick else TASKS) if options.only in task.group]
    console = Console()
    rows: list[Share] = []
    with concurrent.futures.ProcessPoolExecutor() as pool:
        done = pool.map(functools.partial(shares, num_sweeps=num_sweeps), tasks)
        for found in track(done, "worlds", total=len(tasks), console=console, transient=True):
            rows += found
            if options.write:  # what is there survives an interruption
                options.write.write_text(as_markdown(rows, num_sweeps), encoding="utf-8")
    for (group, world), own in itertools.groupby(rows, lambda row: (row.group, row.world)):
        table = Table("claim", "share (95 %)", "should be", title=f"{group}: {world}")
        for row in own:
            table.add_row(row.claim, row.told(), row.should_be())
        console.print(table)
    broken = sum(row.is_broken for row in rows)
    console.print(f"{num_sweeps} sweeps a world; {broken} bounds broken")
    sys.exit(min(1, broken))


if __name__ == "__main__":
    main()
