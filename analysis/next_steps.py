"""What to run next, so that a sweep can say what it cannot say yet, and what that would cost.

Each step is a change of the spec that answers a question which the report left open: whether an
architecture is better or its search was lucky, which of two settings is better, which settings
matter, what lies beyond the edge of a range, whether early stopping loses winners. How many trials
or seeds it takes comes from the tests that did not reject.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from picosweep.analysis.answer.headline import MAX_SEEDS, OWN_SEEDS, headline_table
from picosweep.analysis.page import wording
from picosweep.analysis.results import Results
from picosweep.analysis.shapes.slices import crowded_edges, slices_table
from picosweep.analysis.statistics.common_rung import Comparison, comparisons
from picosweep.analysis.statistics.evidence import SHARE, trials_to_show
from picosweep.analysis.statistics.search_luck import is_ahead, search_lead
from picosweep.analysis.stopping.rank_agreement import MIN_EXEMPT

LOGARITHMIC: Final = ("log_uniform", "log_int_uniform")
RANGES: Final = ("uniform", "int_uniform", *LOGARITHMIC)
WHOLE: Final = ("int_uniform", "log_int_uniform")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value of a spec that becomes another one."""

    key: tuple[str, ...]
    """Path of keys to it."""
    before: Any
    """None where the spec does not have it."""
    after: Any


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """A change of the spec, the question that it answers, and what it costs."""

    why: str
    """The open question, in sentences."""
    changes: tuple[Change, ...]
    trials: int
    """Trials that are to be trained beside those that are known; 0 where some train longer."""
    tokens: float
    seconds: float
    """Busy time of these, as those of this sweep took."""

    def cost(self) -> str:
        """Return the cost in words."""
        trials = f"{wording.plural(self.trials, 'trial')}, " if self.trials else ""
        tokens, time = wording.count(self.tokens), wording.duration(self.seconds)
        return f"about {trials}{tokens} tokens and {time} of busy time"


def next_steps(results: Results) -> tuple[NextStep, ...]:
    """Return what to change in the spec of one sweep, the most telling first.

    Args:
        results: tables of one sweep with its spec.
    """
    spec = results.specs.get(results.sweeps[0]) if len(results.sweeps) == 1 else None
    if not spec:
        return ()
    compared = comparisons(results)
    steps = [
        *_more_trials(results, spec, compared),
        *_more_seeds(results, spec),
        *_wider_ranges(results, spec, compared),
        *_more_exempt(results, spec),
    ]
    return tuple(steps)


def _more_trials(
    results: Results, spec: Mapping[str, Any], compared: Sequence[Comparison]
) -> Iterator[NextStep]:
    now = int(spec["search"]["trials_per_architecture"])
    lead = search_lead(results.trials, results.metric.column)
    needed = None if lead is None or is_ahead(lead) else lead.trials_needed()
    if lead is not None and needed is not None and needed > now:
        share = wording.percent(lead.trials / lead.own)
        why = (
            f"Whether an architecture is better, or its search was luckier: {share} of the trials "
            "of one are in front of all others, which chance would give as well; if that share "
            f"stays, {needed:,} trials of each architecture mostly show it."
        )
        yield _with_trials(results, spec, needed, why)
    unshown = [one for one in compared if one.settings and not one.evidence["clear"].any()]
    missing = max((trials_to_show(len(one.settings)) for one in unshown), default=0)
    if missing > max(now, needed or 0):
        names = wording.listing([one.name for one in unshown])
        why = (
            f"Which settings of {names} matter: none is shown to move the loss, and one that "
            f"explains {wording.percent(SHARE)} of its spread mostly shows with {missing} trials."
        )
        yield _with_trials(results, spec, missing, why)


def _with_trials(
    results: Results,
    spec: Mapping[str, Any],
    number: int,
    why: str,
    before: Sequence[Change] = (),
) -> NextStep:
    """Return the step to so many trials of each architecture, after other changes."""
    now = int(spec["search"]["trials_per_architecture"])
    change = Change(key=("search", "trials_per_architecture"), before=now, after=number)
    trials = (number - now) * len(results.architectures)
    return _step(why, (*before, change), trials, _searched(results))


def _step(why: str, changes: Sequence[Change], trials: int, like: pl.DataFrame) -> NextStep:
    """Return a step that costs so many trials as some known ones took in the mean."""
    return NextStep(
        why=why,
        changes=tuple(changes),
        trials=trials,
        tokens=trials * _mean(like, "tokens"),
        seconds=trials * _mean(like, "seconds"),
    )


def _searched(results: Results) -> pl.DataFrame:
    trained = pl.col("status").is_in(["completed", "stopped", "diverged"])
    return results.trials.filter((pl.col("cohort") != "confirm") & trained)


def _more_seeds(results: Results, spec: Mapping[str, Any]) -> Iterator[NextStep]:
    names = results.setting_names
    table = headline_table(results.full_budget, names, results.metric.column)
    confirm = spec.get("confirm", {})
    top, seeds = int(confirm.get("top", 0)), int(confirm.get("seeds", 0))
    if table.is_empty():
        return
    if not top:
        why = (
            "How sure the losses are: the best of many searched trials looks better than it is, "
            "and without fresh seeds nobody knows how far seeds move it."
        )
        changes = (
            Change(key=("confirm", "top"), before=top, after=1),
            Change(key=("confirm", "seeds"), before=seeds, after=OWN_SEEDS),
        )
        yield _step(why, changes, OWN_SEEDS * table.height, results.full_budget)
        return
    second = table.row(1, named=True) if table.height > 1 else {}
    needed = second.get("seeds_needed")
    if needed is not None and seeds < needed <= MAX_SEEDS:
        gap = wording.significant(second["gap"], 2)
        why = (
            f"Which of the best settings of {table['architecture'][0]} and "
            f"{second['architecture']} is better: they lie {gap} apart, within seed noise."
        )
    elif seeds < OWN_SEEDS:
        needed = OWN_SEEDS
        why = (
            f"How far seeds move each setting: with {wording.plural(seeds, 'seed')} the noise of "
            "all has to be taken for equal."
        )
    else:
        return
    change = Change(key=("confirm", "seeds"), before=seeds, after=needed)
    trials = (needed - seeds) * top * table.height
    yield _step(why, [change], trials, results.full_budget)


def _wider_ranges(
    results: Results, spec: Mapping[str, Any], compared: Sequence[Comparison]
) -> Iterator[NextStep]:
    now = int(spec["search"]["trials_per_architecture"])
    for one in compared:
        edges = crowded_edges(slices_table(one.frame, one.settings))
        own = spec["architectures"].get(one.name, {})
        for row in edges.iter_rows(named=True):
            name = row["setting"].removeprefix("log10 ")
            before = own.get(name, spec.get("common", {}).get(name))
            after = wider(before, row["end"])
            if after is None:
                continue
            change = Change(key=("architectures", one.name, name), before=before, after=after)
            early = ", early in training" if one.is_early else ""
            why = (
                f"What lies beyond the {row['end']} end of {name} for {one.name}: {row['times']} "
                f"of the best {row['best']} trials are there{early}, against {row['overall']} of "
                f"{row['trials']} in all. A wider range wants new trials, half as many again."
            )
            yield _with_trials(results, spec, now + math.ceil(now / 2), why, [change])


def wider(space: object, end: str) -> object | None:
    """Return a search space that goes on beyond one end, None where nobody can say how.

    A range grows by half of its width, a logarithmic one by half of its width in logarithms; a list
    of numbers by one more, as far from the last as that is from the one before. No range goes from
    above zero to below it.

    Args:
        space: a hyperparameter's values as a spec has them.
        end: `lower` or `upper`.
    """
    if isinstance(space, list):
        return _longer(space, end)
    if not isinstance(space, Mapping) or "step" in space:
        return None
    kind = next((name for name in RANGES if name in space), None)
    if kind is None:
        return None
    low, high = space[kind]
    if kind in LOGARITHMIC:
        factor = math.sqrt(high / low)
        low, high = (low / factor, high) if end == "lower" else (low, high * factor)
    else:
        half = (high - low) / 2
        below = low - half if low < 0 or low - half >= 0 else low / 2
        low, high = (below, high) if end == "lower" else (low, high + half)
    ends = [_rounded(value, whole=kind in WHOLE) for value in (low, high)]
    from_above = space[kind][0] > 0 >= ends[0]
    return None if from_above or ends == list(space[kind]) else {**space, kind: ends}


def _longer(values: Sequence[Any], end: str) -> list[Any] | None:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    ordered = sorted(set(numbers))
    if len(numbers) < len(values) or len(ordered) < 2:
        return None
    last, before = (ordered[0], ordered[1]) if end == "lower" else (ordered[-1], ordered[-2])
    geometric = before > 0 and last > 0 and max(last / before, before / last) >= 1.5
    further = last * last / before if geometric else 2 * last - before
    whole = all(isinstance(value, int) for value in ordered)
    new = _rounded(further, whole=whole)
    if new in ordered or (new <= 0 < last):
        return None
    return [new, *values] if end == "lower" else [*values, new]


def _rounded(value: float, *, whole: bool) -> float | int:
    if whole:
        return round(value)
    return float(f"{value:.2g}")


def _more_exempt(results: Results, spec: Mapping[str, Any]) -> Iterator[NextStep]:
    stopping = spec.get("early_stopping", {})
    if stopping.get("scheduler") == "none" or results.decisions.is_empty():
        return
    exempt = results.full_budget.filter(cohort="exempt").height
    searched = _searched(results)
    stopped = searched.filter(status="stopped")
    if exempt >= MIN_EXEMPT or stopped.is_empty() or searched.height <= MIN_EXEMPT:
        return
    before = float(stopping.get("exempt_fraction", 0.0))
    after = min(1.0, math.ceil(100 * MIN_EXEMPT / searched.height) / 100)
    if after <= before:
        return
    freed = round((after - before) * stopped.height)
    saved = _mean(results.full_budget, "tokens") - _mean(stopped, "tokens")
    seconds = _mean(results.full_budget, "seconds") - _mean(stopped, "seconds")
    yield NextStep(
        why=(
            f"Whether early stopping loses winners: {exempt} exempt trials ended, and {MIN_EXEMPT} "
            "begin to tell."
        ),
        changes=(Change(key=("early_stopping", "exempt_fraction"), before=before, after=after),),
        trials=0,
        tokens=freed * saved,
        seconds=freed * seconds,
    )


def _mean(trials: pl.DataFrame, column: str) -> float:
    return wording.number(trials[column].mean()) or 0.0
