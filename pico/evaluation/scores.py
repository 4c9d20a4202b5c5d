"""What a suite gives: scored items, and how sure the mean of a section is.

It imports neither Torch nor NumPy, so that a report can read what stands in the tables.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Progress = Callable[[str, float], None]
"""Called with a stage and the share of it that is done."""
SuiteName = Literal["code", "text"]
Status = Literal["scored", "not executed", "infrastructure", "not applicable"]

VERSIONS: Final[Mapping[SuiteName, int]] = {"code": 1, "text": 1}
"""Raised whenever a suite would give other scores: those of different versions do not compare."""

CONFIDENCE: Final = 0.95

NUM_SAMPLES: Final = 10
"""Functions that the code suite has written for each problem."""
TEMPERATURE: Final = 0.8
"""Of the draws in which they are written."""

COMPLETIONS: Final = ("brackets", "keywords", "indentation", "function", "docstring")
"""Sections of the code suite whose completions are judged as they are."""
GRADES: Final = ("parses", "runs", "right type", "passes")
"""How far a written function comes; each step needs the one before."""
BASELINES: Final = (
    "passes: a constant",
    "passes: the first argument",
    "passes: what it writes most often",
)
"""What functions pass that know nothing of their problem."""
OTHER_PROMPTS: Final = ", for other prompts"
"""Ends the name of a section with the same completions, each judged for the others' prompts."""
HELD_OUT: Final = ", held-out text"
"""Ends the name of a section with the same figures of validation text."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One scored item of a suite."""

    section: str
    """What is scored."""
    item: str
    """Which of the section's."""
    score: float | None
    """None where it has none, see `status`; never 0 for that."""
    status: Status = "scored"
    samples: int = 1
    """How many texts the score is a mean over."""
    detail: str = ""
    """What was judged, or why there is no score."""


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """What a suite found."""

    suite: str
    version: int
    items: tuple[Item, ...]
    sandbox: str = ""
    """Layers under which code was run; `none` without; empty where none was to run."""
    remarks: tuple[str, ...] = ()
    """What the reader should know, in sentences."""
    objectives: dict[str, float | None] = field(default_factory=dict)
    """`suite_score`, and of the code suite `code_pass`."""

    def section(self, name: str) -> list[Item]:
        """Return the items of a section."""
        return [item for item in self.items if item.section == name]


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean of a section's scores."""

    mean: float | None
    """None where no item has a score."""
    low: float | None = None
    high: float | None = None
    items: int = 0
    """Items with a score."""


def mean_share(scores: Iterable[float | None]) -> Mean:
    """Return the mean of shares (0 to 1) over items, with an exact interval over the items.

    The items are the draws: another suite of the same kind would have others. The interval is
    Clopper and Pearson's for a sum of scores; shares between 0 and 1 vary less than the zeros and
    ones that it is exact for, so it is wide rather than narrow. At 0 and 1 it is one-sided: none of
    50 right means at most 5.8 %.

    Source: Clopper and Pearson 1934; for why no normal approximation, Bowyer et al. 2025,
    https://arxiv.org/abs/2503.01747.
    """
    found = [score for score in scores if score is not None]
    if not found:
        return Mean(mean=None)
    total, right = len(found), math.fsum(found)
    low, high = exact_interval(right, total)
    return Mean(mean=right / total, low=low, high=high, items=total)


def exact_interval(right: float, total: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share, of which `right` in `total` were seen."""
    from scipy import stats  # noqa: PLC0415 - takes half a second

    outside = 1 - CONFIDENCE
    if right <= 0:
        return 0.0, 1 - outside ** (1 / total)
    if right >= total:
        return outside ** (1 / total), 1.0
    low = float(stats.beta.ppf(outside / 2, right, total - right + 1))
    return low, float(stats.beta.ppf(1 - outside / 2, right + 1, total - right))


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Return the chance that one of k draws is right, where `right` of `samples` were.

    Unbiased: 1 - C(n - c, k) / C(n, k), as a product of factors below 1.

    Source: Chen et al. 2021, https://arxiv.org/abs/2107.03374, section 2.1.

    Raises:
        ValueError: k is not from 1 to `samples`.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"k is {k}; allowed: 1 to {samples}, the number of samples")
    if samples - right < k:
        return 1.0
    return 1.0 - math.prod(1 - k / n for n in range(samples - right + 1, samples + 1))


@dataclass(frozen=True, kw_only=True)
class PairedChange:
    """By how much the mean of a section's scores differs between two evaluations."""

    mean: float
    low: float
    high: float
    items: int
    """Items that both have a score for."""


def paired_change(before: Sequence[Item], after: Sequence[Item]) -> PairedChange | None:
    """Return the mean difference over the items that both have, with an interval over the items.

    Student's interval of the differences; where all are alike, it has no width to tell, and ends
    where one more item could differ by 1 at most in `items` + 1. None below two common items.

    Source: Miller 2024, "Adding Error Bars to Evals", https://arxiv.org/abs/2411.00640, section 4.
    """
    known = {item.item: item.score for item in before if item.score is not None}
    differences = [
        item.score - known[item.item]
        for item in after
        if item.score is not None and item.item in known
    ]
    number = len(differences)
    if number < 2:
        return None
    mean = statistics.fmean(differences)
    spread = statistics.stdev(differences)
    if not spread:
        margin = 1 / (number + 1)
    else:
        from scipy import stats  # noqa: PLC0415 - takes half a second

        margin = float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1)) * spread / math.sqrt(number)
    return PairedChange(mean=mean, low=mean - margin, high=mean + margin, items=number)
