"""The chapters below the first screen, held against the truth.

The figures are made as the report makes them, and their sentences are read: which settings does
each of them name? In a null world none does anything; otherwise only the learning rate does.
"""

import collections
import functools
import math
import re
import statistics
from collections.abc import Callable, Mapping
from typing import Final
from unittest import mock

import numpy as np

from benchmarks.truth.counts import Counts
from benchmarks.truth.worlds import FLOOR, LAST_STEP, NOISE, SPREAD, UNEXPLAINED, World, sweep
from picosweep.analysis.equal_cost import expected_best, improvement
from picosweep.analysis.page.figure import Figure
from picosweep.analysis.results import Results
from picosweep.analysis.shapes import box_plots, heatmap, parallel_coordinates, slices
from picosweep.analysis.statistics.common_rung import comparisons
from picosweep.analysis.stopping import rank_agreement
from picosweep.analysis.what_mattered import (
    correlation,
    importance,
    partial_dependence,
    regression,
)

PAIR: Final = {"a": 0.0, "b": 0.0}
NULL: Final = tuple(
    World(name=f"{trials} trials, {sampler}", base=PAIR, trials=trials, sampler=sampler, effect=0.0)
    for trials, sampler in [
        (9, "random"),
        (20, "random"),
        (40, "random"),
        (100, "random"),
        (40, "tpe"),
    ]
)
REAL: Final = (
    *(World(name=f"{trials} trials, random", base=PAIR, trials=trials) for trials in (20, 40, 100)),
    World(name="40 trials, tpe", base=PAIR, trials=40, sampler="tpe"),
    World(name="40 trials, rungs mislead", base=PAIR, trials=40, misled=SPREAD),
)
AUDIT: Final = (
    World(name="perfect rungs", base=PAIR, trials=40, exempt=0.5),
    World(name="rungs mislead", base=PAIR, trials=40, exempt=0.5, misled=SPREAD),
)

SETTINGS: Final = ("learning_rate", "weight_decay", "embed_size", "architecture")
REAL_SETTING: Final = "learning_rate"

NAMING: Final[Mapping[str, tuple[Callable[[Results], Figure | None], str]]] = {
    "importance": (importance.figure, r"Shown to move the loss: ([^.]*)\."),
    "partial dependence": (partial_dependence.figure, r"other settings, (\S+) moves"),
    "boxes": (box_plots.figure, r"move the loss, values of (\S+) differ"),
    "clear effects": (regression.figure, r"others held fixed: (.*); the model"),
    "correlation": (correlation.figure, r"numeric settings (\S+) goes most"),
    "in common": (parallel_coordinates.figure, r"have in common: (.*)\."),
    "edge of a range": (slices.figure, r"wider range may pay: (.*)\."),
}
"""Figures whose sentences name settings, and where in the sentence."""


def named(figure: Figure | None, pattern: str) -> dict[str, set[str]]:
    """Return the settings that each panel's sentence names, by the panel's label."""
    found = {}
    for panel in figure.panels if figure else ():
        match = re.search(pattern, panel.sentence)
        words = match[1] if match else ""
        found[panel.label] = {name for name in SETTINGS if name in words}
    return found


def measure_chapters(world: World, num_sweeps: int) -> Counts:
    """Return, claim by claim, 1 for each panel in which it was wrong (or right, or held)."""
    found: Counts = collections.defaultdict(list)
    idle = set(SETTINGS) - ({REAL_SETTING} if world.effect else set())
    for number in range(num_sweeps):
        results = sweep(world, number)
        for what, (make, pattern) in NAMING.items():
            with mock.patch.object(importance, "NUM_RESAMPLES", 1):  # of whiskers alone
                figure = make(results)
            for label, names in named(figure, pattern).items():
                together = ", all architectures" if label == "All" else ""
                false = f"{what}{together}: names a setting that does nothing"
                found[false].append(bool(names & idle))
                if world.effect and not together and what in ("importance", "partial dependence"):
                    found[f"{what}: names the one that does"].append(REAL_SETTING in names)
        _judge_cells(world, results, found)
        _judge_draws(world, results, found)
        again = sweep(world, number, search=1)
        for one, other in zip(comparisons(results), comparisons(again), strict=True):
            shown = [set(each.evidence.filter("clear")["setting"]) for each in (one, other)]
            found["settings shown to move the loss, the same in a new search"].append(
                shown[0] == shown[1]
            )
    return found


def _judge_cells(world: World, results: Results, found: Counts) -> None:
    figure = heatmap.figure(results)
    for panel in figure.panels if figure else ():
        real = world.effect and REAL_SETTING in panel.label
        if not real:
            found["two settings: says that cells differ, falsely"].append(
                "Chance may make" not in panel.sentence
            )


def _judge_draws(world: World, results: Results, found: Counts) -> None:
    (panel,) = expected_best.figure(results).panels
    table = panel.table
    if table is not None and not table.is_empty():
        for row in table.sort("n").group_by("architecture").last().iter_rows(named=True):
            truth = median_best(world.effect, row["n"])
            high = math.inf if row["high"] is None else row["high"]
            found["best of n, at the largest n told: interval holds it"].append(
                row["low"] <= truth <= high
            )
    (panel,) = improvement.figure(results).panels
    found["improvement: tells equals apart"].append(panel.sentence.startswith("A trial of"))
    for row in panel.table.iter_rows(named=True) if panel.table is not None else ():
        if row["architecture"] < row["against"]:
            found["improvement: interval holds one half"].append(row["low"] <= 0.5 <= row["high"])


def median_best(effect: float, n: int) -> float:
    """Return the median loss of the best of n random trials of an architecture of these worlds."""
    return float(np.quantile(_drawn(effect), 1 - 0.5 ** (1 / n)))


@functools.cache
def _drawn(effect: float) -> np.ndarray:
    """Return the losses of 200,000 random trials at the last step."""
    generator = np.random.default_rng(0)
    parabola = effect * generator.uniform(-1, 1, 200_000) ** 2
    unexplained = UNEXPLAINED * generator.standard_normal(len(parabola))
    noise = NOISE * generator.standard_normal(len(parabola))
    losses: np.ndarray = FLOOR + SPREAD * (parabola + unexplained) + noise + 1 / LAST_STEP
    return losses


def measure_audit(world: World, num_sweeps: int) -> Counts:
    """Return how often winners are said to be lost, and whether intervals hold the mean share."""
    rows = []
    for number in range(num_sweeps):
        results = sweep(world, number)
        lost = rank_agreement.lost_winners_table(results, rank_agreement.control_table(results))
        last = lost.row(-1, named=True)
        sentence = rank_agreement.lost_winners_sentence(lost)
        said = re.search(r"stopped (\d+); (\d+) of these ended better", sentence)
        rows.append((last, int(said[2]) if said else 0))
    found: Counts = collections.defaultdict(list)
    mean = statistics.fmean(row["share"] for row, _ in rows)
    claim = "audit: says that winners were lost"
    found[claim + (", falsely" if not world.misled else "")] = [said > 0 for _, said in rows]
    if world.misled:
        found["audit: interval holds the share that is lost"] = [
            row["low"] <= mean <= row["high"] for row, _ in rows
        ]
    return found
