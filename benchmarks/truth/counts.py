"""What was found in each sweep, claim by claim, and what should have been."""

import collections
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scipy.stats import binomtest

Counts = collections.defaultdict[str, list[float]]
"""By claim: 1 for each sweep, or panel, in which it was made, or held."""

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "names a better architecture, falsely": (0.0, 0.05),
    "names a worse architecture": (0.0, 0.05),
    "calls a setting worse that is not": (0.0, 0.05),
    "interval of the setting announced holds it": (0.95, 1.0),
    "intervals of all settings hold them at once": (0.95, 1.0),
    "first line comes again, new seeds": (0.95, 1.0),
    "not contradicted by a new search": (0.90, 1.0),
    "--compare calls one search better, falsely": (0.0, 0.05),
    "names a setting that does nothing": (0.0, 0.05),
    "says that cells differ, falsely": (0.0, 0.05),
    "tells equals apart": (0.0, 0.05),
    "says that winners were lost, falsely": (0.0, 0.05),
    "interval holds": (0.93, 1.0),
}
"""What each share should be, by the claim or its end; other claims have no right value."""

BEFORE: Final[Mapping[str, str]] = {
    "names a better architecture, falsely": "32 % (2 seeds), 62 % (5)",
    "first line comes again, new seeds": "32 to 60 %",
    "first line comes again, new search": "3 to 12 %",
    "--compare calls one search better, falsely": "50 to 97 %",
    "calls a setting worse that is not": "17 to 41 %",
    "interval of the setting announced holds it": "70 to 92 %",
    "importance: names a setting that does nothing": "100 %",
    "partial dependence: names a setting that does nothing": "100 %",
    "clear effects: names a setting that does nothing": "13 to 23 %",
    "correlation: names a setting that does nothing": "5 to 10 %",
    "in common: names a setting that does nothing": "61 to 99 %",
    "edge of a range: names a setting that does nothing": "16 to 70 %",
    "best of n, at the largest n told: interval holds it": "69 to 84 %, TPE 2 %",
    "improvement: interval holds one half": "94 to 95 %",
    "audit: says that winners were lost, falsely": "44 to 49 % of the best",
    "exponent: interval holds it": "0 to 95 %",
    "loss at the largest size: interval holds it": "28 to 94 %",
}
"""What the sentences of the report were worth before they were held against known truths.

The first four are this harness over commit 45f2e0e, 60 sweeps each, equal architectures with nine
trials; the others are an earlier harness over the same sentences, on surfaces of the same kind.
"""

CHANCE: Final = 3.0
"""Standard errors by which a measured share may miss its bound."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often a claim was made, or held, in a world."""

    group: str
    world: str
    claim: str
    values: tuple[float, ...]

    @property
    def share(self) -> float:
        """Return the share of sweeps, or panels."""
        return statistics.fmean(self.values)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return what the share should be, or None where it has no right value."""
        found = [
            limits
            for words, limits in BOUNDS.items()
            if self.claim.endswith(words) or f": {words}" in self.claim
        ]
        return found[0] if found else None

    @property
    def is_broken(self) -> bool:
        """Whether the share misses its bound by more than chance lets it."""
        if self.bounds is None:
            return False
        low, high = self.bounds
        allowed = 0.0
        for bound in (low, high):
            if 0 < bound < 1:
                allowed = CHANCE * math.sqrt(bound * (1 - bound) / len(self.values))
        return not low - allowed <= self.share <= high + allowed

    def should_be(self) -> str:
        """Return the bound in words."""
        if self.bounds is None:
            return ""
        low, high = self.bounds
        return f"≤ {high:.0%}" if low == 0 else f"≥ {low:.0%}"

    def told(self) -> str:
        """Return the share with its exact 95 % interval (Clopper and Pearson 1934)."""
        interval = binomtest(int(sum(self.values)), len(self.values)).proportion_ci()
        broken = " broken" if self.is_broken else ""
        return f"{self.share:.1%} ({interval.low:.0%} to {interval.high:.0%}){broken}"


def as_markdown(rows: list[Share], num_sweeps: int) -> str:
    """Return the page that documents the shares: a table a group, a column a world."""
    lines = [
        "# What the report's sentences are worth",
        "",
        "Written by `make truth`: simulated sweeps whose truth is known, through the project's own",
        "samplers, early stopping, confirmation, tables and sentences; `benchmarks/truth/` says",
        f"how. {num_sweeps} sweeps of each world, shares with their 95 % intervals; where a sweep",
        "has several panels, each of them counts; of 40 trials by TPE a third as many sweeps.",
        "*Before* is what the same sentences were worth until they were held against such",
        "sweeps, in worlds of the same kind.",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        worlds = list(dict.fromkeys(row.world for row in own))
        cells = {(row.claim, row.world): row for row in own}
        lines += ["", f"## {group}", "", f"| | should be | before | {' | '.join(worlds)} |"]
        lines.append("|---|---|---|" + "---|" * len(worlds))
        for claim in dict.fromkeys(row.claim for row in own):
            told = [
                cells[claim, world].told() if (claim, world) in cells else "" for world in worlds
            ]
            should = next(row.should_be() for row in own if row.claim == claim)
            before = BEFORE.get(claim, "")
            lines.append(f"| {claim} | {should} | {before} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"
