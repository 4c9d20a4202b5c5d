"""Fair timing on a machine that others use too: candidates take turns, and ratios pair the turns.

A slow moment of the machine then hits all candidates alike, and the median ratio of turns made
side by side says more than the ratio of two means.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one candidate took, and how it compares with the first."""

    name: str
    milliseconds: float
    """Median over the rounds."""
    times_faster: float
    """Median over the rounds of the first candidate's time over this one's."""
    spread: tuple[float, float]
    """Quartiles of that ratio."""


def take_turns(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: str = "cpu",
    least_seconds: float = 0.25,
) -> list[Timing]:
    """Let every candidate have a turn in each of `rounds` rounds, after two that do not count.

    In its turn a candidate runs again and again for about `least_seconds`, as a training step does:
    a single short run after another candidate's long one finds caches and clock cold, which says
    nothing of the thousands that follow it.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    repeats = dict.fromkeys(candidates, 1)
    for round_number in range(rounds + 2):
        for name, run in candidates.items():
            _wait_for(device)
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            _wait_for(device)
            taken = (time.perf_counter() - start) / repeats[name]
            if round_number >= 2:
                seconds[name].append(taken)
            else:
                repeats[name] = max(1, math.ceil(least_seconds / taken))
    first = seconds[next(iter(candidates))]
    timings = []
    for name, times in seconds.items():
        ratios = [ours / theirs for ours, theirs in zip(first, times, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        timings.append(
            Timing(
                name=name,
                milliseconds=1e3 * statistics.median(times),
                times_faster=middle,
                spread=(low, high),
            )
        )
    return timings


def print_timings(title: str, timings: list[Timing]) -> None:
    """Print one row a candidate: its time, and how many times faster than the first it is."""
    table = Table(title=title, title_justify="left")
    table.add_column("candidate")
    table.add_column("ms (median)", justify="right")
    table.add_column("times faster", justify="right")
    table.add_column("quartiles", justify="right")
    for timing in timings:
        low, high = timing.spread
        table.add_row(
            timing.name,
            f"{timing.milliseconds:.2f}",
            f"{timing.times_faster:.2f}",
            f"{low:.2f} to {high:.2f}",
        )
    Console().print(table)


def parser(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--rounds", type=int, default=rounds, help="turns of each candidate")
    found.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    return found


def _wait_for(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
