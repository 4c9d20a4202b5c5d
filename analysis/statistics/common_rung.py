"""At which budget can trials be compared? Early stopping leaves few at the end, all at the start.

The loss of a stopped trial is not the loss it would have had, so trials compare only at a rung that
they all reached. `comparisons` picks, for each architecture, the highest rung that enough of its
trials reached, and counts the rest, so that every figure about settings can say which it uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.evidence import setting_evidence

MIN_TRIALS: Final = 8
MIN_SHARE: Final = 0.5
EARLY: Final = ", early in training"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Trials of one architecture, or of all, with their loss at one common rung."""

    name: str
    """The architecture, or `All`."""
    settings: tuple[str, ...]
    """Hyperparameters that varied; with `All`, those that every architecture has, and
    `architecture` itself."""
    rung: int
    tokens: int
    """Most tokens that a trial had seen there."""
    seconds: float | None
    """Least seconds of training at that rung, where the budget is in seconds; otherwise None."""
    frame: pl.DataFrame
    """The trials' columns, with `loss` the loss at the rung; searched and exempt cohorts only."""
    num_left_out: int
    """Searched or exempt trials that ended before the rung."""
    is_early: bool
    """Whether the rung is not the last one: what holds there may not hold at the end."""

    @property
    def title(self) -> str:
        """Words with which a sentence about these trials begins."""
        return title(self.name) + (EARLY if self.is_early else "")

    @cached_property
    def evidence(self) -> pl.DataFrame:
        """Which settings are shown to move the loss at the rung; see `setting_evidence`."""
        return setting_evidence(self.frame, self.settings)

    @property
    def sentence(self) -> str:
        """Sentence about which trials a figure uses."""
        place = f"{wording.count(self.tokens)} tokens"
        if self.seconds is not None:
            place = f"{wording.duration(self.seconds)} of training"
        text = (
            f"Compared at {place} (rung {self.rung}), which "
            f"{wording.plural(self.frame.height, 'trial')} reached"
        )
        if self.num_left_out:
            text += f"; {self.num_left_out:,} that ended earlier are left out"
        return text + "."


def title(name: str) -> str:
    """Return an architecture's name, or words for all of them together."""
    return "All architectures" if name == "All" else name


def timed(words: str, compared: Sequence[Comparison]) -> str:
    """Return a figure's title, which says where its trials compare only early in training."""
    early = [one.is_early for one in compared]
    if early and all(early):
        return words + EARLY
    return f"{words}, in part early in training" if any(early) else words


def comparisons(results: Results, *, pooled: bool = False) -> tuple[Comparison, ...]:
    """Return one comparison for each architecture with a trial that reached a rung.

    Args:
        results: tables of the sweeps, of which `trials` and `reports` are read.
        pooled: whether one of all architectures together comes first, at the highest rung at which
            each of them can be compared. Only where there are several.
    """
    column = results.metric.column
    searched = results.trials.filter(pl.col("cohort") != "confirm").unique(
        "trial_id", maintain_order=True
    )
    losses = (
        results.reports.filter(pl.col("rung").is_not_null() & pl.col(column).is_not_null())
        .select(
            "trial_id",
            "rung",
            reached=pl.col("tokens"),
            reached_after=pl.col("training_seconds") if results.in_seconds else None,
            loss=pl.col(column),
        )
        .unique(["trial_id", "rung"], keep="last")
    )
    found = []
    for name in results.architectures:
        trials = searched.filter(architecture=name)
        own = losses.join(trials.select("trial_id"), on="trial_id", how="semi")
        if not own.is_empty():
            rung = _common_rung(own, trials.height)
            is_early = rung != results.last_rung
            found.append(_compare(name, results.varied[name], rung, trials, own, is_early=is_early))
    if not pooled or len(found) < 2:
        return tuple(found)
    shared = [results.varied[one.name] for one in found]
    settings = [name for name in shared[0] if all(name in names for names in shared)]
    rung = min(one.rung for one in found)
    everyone = _compare(
        "All",
        ("architecture", *settings),
        rung,
        searched,
        losses,
        is_early=rung != results.last_rung,
    )
    return (everyone, *found)


def _common_rung(losses: pl.DataFrame, num_trials: int) -> int:
    """Return the highest rung that enough trials reached; the lowest when none has enough."""
    counts = losses.group_by("rung").len().sort("rung", descending=True)
    enough = counts.filter(
        (pl.col("len") >= MIN_TRIALS) & (pl.col("len") >= MIN_SHARE * num_trials)
    )
    return int((enough if enough.height else counts.tail(1))["rung"][0])


def _compare(
    name: str,
    settings: tuple[str, ...],
    rung: int,
    trials: pl.DataFrame,
    losses: pl.DataFrame,
    *,
    is_early: bool,
) -> Comparison:
    at_rung = losses.filter(rung=rung).drop("rung")
    frame = trials.drop("loss", strict=False).join(at_rung, on="trial_id", maintain_order="left")
    return Comparison(
        name=name,
        settings=settings,
        rung=rung,
        tokens=int(wording.number(frame["reached"].max()) or 0),
        seconds=wording.number(frame["reached_after"].min()),
        frame=frame.drop("reached_after"),
        num_left_out=trials.height - frame.height,
        is_early=is_early,
    )
