"""What the report's first screen is worth, measured on sweeps whose truth is known.

Sweeps are simulated over response surfaces with known losses: with the project's own samplers,
early stopping and confirmation, through the real tables, to the real sentences. Then each claim is
held against the truth: how often it is made where it is false, whether intervals hold what they
should, how often a real difference is found, and whether the same sentence comes again with new
seeds, or with a new search.

    python -m benchmarks.truth            # an hour or less: every world, 200 sweeps each
    python -m benchmarks.truth --quick    # minutes: a few worlds, with bounds that a mistake breaks

A surface: `loss = 3 + base of the architecture + .1 · setting + noise of the seed + 1 / step`.
The setting's part is a parabola over log learning rate, and, for each configuration, a draw that no
searched hyperparameter explains. Noise has a standard deviation of .01 unless said otherwise. The
last term is the same for all, so rungs are perfect.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from picosweep.analysis.answer.answer import answer
from picosweep.analysis.answer.before_after import change_table
from picosweep.analysis.answer.headline import headline_table
from picosweep.analysis.results import Results, load
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.workers.simulated import (
    Loss,
    SimulatedRunner,
    SimulatedTrial,
    simulated_sweep,
)

SPREAD: Final = 0.1
NOISE: Final = 0.01
LAST_STEP: Final = 81


@dataclass(frozen=True, kw_only=True)
class World:
    """A surface, and the sweeps that search it."""

    name: str
    base: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys("abcd", 0.0))
    """What each architecture's loss has more than the others'."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """Deviation over seeds of an architecture, where it is another one than `NOISE`."""
    trials: int = 9
    seeds: int = 2
    sampler: str = "random"
    top: int = 1

    def spec(self, name: str, search_seed: int) -> dict[str, Any]:
        """Return the content of a spec that searches this world."""
        space = {"model": "kgram", "embed_size": [8, 16, 32], "hidden_size": 16}
        return {
            "name": name,
            "data": {"source": "stdlib", "block_size": 16},
            "budget": {"unit": "steps", "min": 9, "factor": 3, "rungs": 3, "reports_per_rung": 1},
            "search": {
                "trials_per_architecture": self.trials,
                "startup_trials": min(5, self.trials),
                "sampler": self.sampler,
                "seed": search_seed,
            },
            "confirm": {"top": self.top, "seeds": self.seeds},
            "common": {
                "learning_rate": {"log_uniform": [1e-3, 1e-1]},
                "weight_decay": {"uniform": [0.0, 0.2]},
                "batch_size": 4,
            },
            "architectures": dict.fromkeys(self.base, space),
        }

    def truth(self, architecture: str, trial: Mapping[str, Any], salt: str) -> float:
        """Return the mean loss over all seeds of a setting, at the last step."""
        rate = trial["learning_rate"]
        parabola = (math.log10(rate) + 2) ** 2
        unexplained = _normal(f"{salt} {architecture} {rate!r}")
        setting = SPREAD * (parabola + 0.3 * unexplained)
        return 3 + self.base[architecture] + setting + 1 / LAST_STEP

    def loss(self, surface: str, seeds: str) -> Loss:
        """Return the loss of a trial at a step.

        Args:
            surface: which draw of the surface.
            seeds: which draw of the noise over fresh seeds; searched trials keep theirs.
        """

        def loss(candidate: Candidate, step: int) -> float:
            name = candidate.architecture
            rate = {"learning_rate": candidate.trial.training.learning_rate}
            salt = seeds if candidate.trial.seed else surface
            noise = self.noise.get(name, NOISE) * _normal(f"{salt} {candidate.config}")
            return self.truth(name, rate, surface) + noise + 1 / step - 1 / LAST_STEP

        return loss


def _normal(key: str) -> float:
    return random.Random(hashlib.sha256(key.encode()).digest()).gauss(0, 1)


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
WORLDS: Final = (*EQUAL, EIGHT, NOISY, TOP, *BETTER)
QUICK: Final = (EQUAL[0], EQUAL[1], NOISY, TOP, BETTER[2])


def run_search(folder: Path, world: World, number: int, search: int, loss: Loss) -> Path:
    """Simulate one search of a world; return the sweep's folder."""
    spec = world.spec(f"search{search}", 1000 * search + number)
    coordinator, store = simulated_sweep(folder, spec)
    SimulatedRunner(loss, seed=number).run(coordinator, SimulatedTrial.of, lambda: None)
    store.seal()
    store.close()
    return folder / str(spec["name"])


def sweep(world: World, number: int, *, seeds: int = 0, search: int = 0) -> Results:
    """Return the tables of one simulated sweep.

    Args:
        world: what is searched.
        number: which draw of the surface.
        seeds: which draw of the noise over fresh seeds.
        search: which search: another one draws other configurations, and other noise.
    """
    surface = f"{world.name} {number} {search}"
    loss = world.loss(surface, f"{surface} {seeds}")
    with tempfile.TemporaryDirectory() as folder:
        return load(run_search(Path(folder), world, number, search, loss))


Counts = collections.defaultdict[str, list[float]]


def measure(world: World, num_sweeps: int) -> Counts:
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
    names = sorted({name for names in results.hyperparameters.values() for name in names})
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


BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "names a better architecture, falsely": (0.0, 0.05),
    "names a worse architecture": (0.0, 0.05),
    "calls a setting worse that is not": (0.0, 0.05),
    "interval of the setting announced holds it": (0.95, 1.0),
    "intervals of all settings hold them at once": (0.95, 1.0),
    "first line comes again, new seeds": (0.95, 1.0),
    "not contradicted by a new search": (0.90, 1.0),
    "--compare calls one search better, falsely": (0.0, 0.05),
}
"""What each share should be; the other claims have no right value."""

CHANCE: Final = 3.0
"""Standard errors by which a measured share may miss its bound."""


def verdict(name: str, values: list[float]) -> str:
    """Return whether a share keeps its bound, as far as chance lets it be seen."""
    if name not in BOUNDS:
        return ""
    low, high = BOUNDS[name]
    share, allowed = statistics.fmean(values), 0.0
    for bound in (low, high):
        if 0 < bound < 1:
            allowed = CHANCE * math.sqrt(bound * (1 - bound) / len(values))
    return "kept" if low - allowed <= share <= high + allowed else "BROKEN"


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often a claim was made, or held, in a world."""

    world: str
    claim: str
    share: float
    low: float
    high: float
    """Ends of its exact 95 % interval (Clopper and Pearson 1934)."""
    bound: str
    verdict: str

    def told(self) -> str:
        """Return the share with its interval."""
        return f"{self.share:.0%} ({self.low:.1%} to {self.high:.1%})"


def shares(task: tuple[World, bool, int]) -> list[Share]:
    """Return the share of each claim in a world."""
    world, compared, num_sweeps = task
    found = (measure_comparison if compared else measure)(world, num_sweeps)
    rows = []
    for claim, values in found.items():
        interval = binomtest(int(sum(values)), len(values)).proportion_ci()
        low, high = BOUNDS.get(claim, (math.nan, math.nan))
        rows.append(
            Share(
                world=world.name,
                claim=claim,
                share=statistics.fmean(values),
                low=interval.low,
                high=interval.high,
                bound="" if math.isnan(low) else f"≤ {high:.0%}" if low == 0 else f"≥ {low:.0%}",
                verdict=verdict(claim, values),
            )
        )
    return rows


def main() -> None:
    """Measure every world, print a table, and end with 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a few worlds, 20 sweeps each")
    parser.add_argument("--sweeps", type=int, help="simulated sweeps of each world")
    parser.add_argument("--write", type=Path, help="file for the table, as Markdown")
    options = parser.parse_args()
    num_sweeps = options.sweeps or (20 if options.quick else 200)
    worlds = QUICK if options.quick else WORLDS
    tasks = [(world, False, num_sweeps) for world in worlds]
    tasks += [(world, True, num_sweeps) for world in worlds[:2]]
    console = Console()
    rows: list[Share] = []
    with concurrent.futures.ProcessPoolExecutor() as pool:
        done = pool.map(shares, tasks)
        for found in track(done, "worlds", total=len(tasks), console=console, transient=True):
            rows += found
    table = Table("world", "claim", "share (95 %)", "should be", "")
    for row in rows:
        table.add_row(row.world, row.claim, row.told(), row.bound, row.verdict)
    console.print(table)
    broken = sum(row.verdict == "BROKEN" for row in rows)
    console.print(f"{num_sweeps} sweeps a world; {broken} bounds broken")
    if options.write:
        options.write.write_text(as_markdown(rows, num_sweeps), encoding="utf-8")
    sys.exit(min(1, broken))


def as_markdown(rows: Sequence[Share], num_sweeps: int) -> str:
    """Return the page that documents the shares."""
    lines = [
        "# What the first screen is worth",
        "",
        "Written by `make truth`: simulated sweeps whose truth is known, through the project's own",
        "samplers, early stopping, confirmation, tables and sentences; `benchmarks/truth.py` says",
        f"how. {num_sweeps} sweeps of each world, shares with their 95 % intervals.",
        "",
        "| world | claim | share | should be |",
        "|---|---|---|---|",
    ]
    for row in rows:
        broken = " **broken**" if row.verdict == "BROKEN" else ""
        lines.append(f"| {row.world} | {row.claim} | {row.told()} | {row.bound}{broken} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
