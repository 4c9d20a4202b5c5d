"""The first screen and `--compare`, held against the truth."""

import collections
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.truth.counts import Counts
from benchmarks.truth.worlds import NOISE, World, run_search, sweep
from picosweep.analysis.answer.answer import answer
from picosweep.analysis.answer.before_after import change_table
from picosweep.analysis.answer.headline import headline_table
from picosweep.analysis.results import Results, load

EQUAL: Final = tuple(
    World(
        name=f"equal, {sampler}, {trials} trials, {seeds} seeds",
        trials=trials,
        seeds=seeds,
        sampler=sampler,
    )
    for trials, seeds, sampler in [
        (9, 2, "random"),
        (9, 5, "random"),
        (40, 2, "random"),
        (9, 3, "tpe"),
        (40, 3, "tpe"),
    ]
)
EIGHT: Final = World(name="eight equal, 9 trials, 2 seeds", base=dict.fromkeys("abcdefgh", 0.0))
NOISY: Final = World(name="equal, one 4× noisier, 3 seeds", noise={"a": 4 * NOISE}, seeds=3)
TOP: Final = World(name="equal, top 3 confirmed, 2 seeds", top=3)
BETTER: Final = tuple(
    World(
        name=f"one better by {gap:.2f}, {trials} trials",
        base={"a": -gap, "b": 0.0, "c": 0.0, "d": 0.0},
        trials=trials,
    )
    for gap, trials in [(0.03, 9), (0.03, 40), (0.10, 9), (0.10, 40)]
)


def measure_first_screen(world: World, num_sweeps: int) -> Counts:
    """Return, claim by claim, 1 for each sweep in which it was wrong (or right, or came again)."""
    found: Counts = collections.defaultdict(list)
    equal = len(set(world.base.values())) == 1
    for number in range(num_sweeps):
        results = sweep(world, number)
        first = answer(results).verdict
        named = _named(first)
        if equal:
            found["names a better architecture, falsely"].append(named is not None)
        else:
            found["names a worse architecture"].append(named not in (None, "a"))
            found["finds the better architecture"].append(named == "a")
        _judge_table(world, results, f"{world.name} {number} 0", found)
        again = sweep(world, number, seeds=1)
        found["first line comes again, new seeds"].append(answer(again).verdict == first)
        other = answer(sweep(world, number, search=1)).verdict
        there = _named(other)
        found["first line comes again, new search"].append(other == first)
        found["not contradicted by a new search"].append(named is None or there in (None, named))
    return found


def _judge_table(world: World, results: Results, salt: str, found: Counts) -> None:
    names = results.setting_names
    table = headline_table(results.full_budget, names)
    trials = {row["trial_id"]: row for row in results.trials.iter_rows(named=True)}
    rows = list(table.iter_rows(named=True))
    truths = [world.truth(row["architecture"], trials[row["trial_id"]], salt) for row in rows]
    held = [row["low"] <= truth <= row["high"] for row, truth in zip(rows, truths, strict=True)]
    found["interval of the setting announced holds it"].append(held[0])
    found["intervals of all settings hold them at once"].append(all(held))
    wrong = [
        row["verdict"] == "worse" and truth <= truths[0]
        for row, truth in zip(rows[1:], truths[1:], strict=True)
    ]
    found["calls a setting worse that is not"].append(any(wrong))


def _named(verdict: str) -> str | None:
    """Return the architecture that a first line calls better, if it does."""
    words = verdict.split()
    return words[0] if words[1:] in (["wins"], ["leads"]) else None


def measure_comparison(world: World, num_sweeps: int) -> Counts:
    """Return how often two searches of one world are called different by `--compare`."""
    found: Counts = collections.defaultdict(list)
    for number in range(num_sweeps):
        with tempfile.TemporaryDirectory() as folder:
            searches = [
                run_search(
                    Path(folder),
                    world,
                    number,
                    search,
                    world.loss(f"{world.name} {number}", f"{number} {search}"),
                )
                for search in (0, 1)
            ]
            both = load(searches, compare=True)
            verdicts = set(change_table(both)["verdict"])
            found["--compare calls one search better, falsely"].append(
                bool(verdicts & {"better", "worse"})
            )
    return found
