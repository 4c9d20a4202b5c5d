"""Whether a search space can be trained at all, before anything is."""

import collections
import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Final

from picosweep.sweeps.errors import InputError, Problem
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory, Rejection
from picosweep.sweeps.spec.document import Document, KeyPath, dotted, place_of
from picosweep.sweeps.spec.parameters import Space, Value
from picosweep.sweeps.spec.schema import Spec

CHECKED: Final = 200
"""Configurations per architecture that are tried out before a sweep starts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Feasibility:
    """How much of a space can be trained."""

    num_checked: int
    num_feasible: int
    complete: bool
    """Whether every configuration of the space was checked, or a random sample."""
    reasons: collections.Counter[str]
    """Why configurations were rejected, and how often."""
    candidates: tuple[Candidate, ...]
    """Those that can be trained."""


def check_feasibility(
    spec: Spec, spaces: Mapping[str, Space], factory: CandidateFactory, document: Document
) -> dict[str, Feasibility]:
    """Try out configurations of every space, without training them.

    Raises:
        InputError: nothing in a space can be trained, or a choice is impossible by itself.
    """
    results = {}
    problems: list[Problem] = []
    for name, space in spaces.items():
        checked, complete = _checked(space)
        outcomes = [factory.build(name, chosen, spec.seed) for chosen in checked]
        rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
        reasons = _reasons(rejected)
        results[name] = Feasibility(
            num_checked=len(checked),
            num_feasible=len(checked) - reasons.total(),
            complete=complete,
            reasons=reasons,
            candidates=tuple(outcome for outcome in outcomes if isinstance(outcome, Candidate)),
        )
        if results[name].num_feasible == 0:
            key: KeyPath = ("architectures", name)
            worst = "; ".join(f"{count}× {reason}" for reason, count in reasons.most_common(3))
            how_many = "every configuration" if complete else f"{len(checked)} at random"
            problems.append(
                Problem(
                    message="nothing in this space can be trained",
                    where=document.where(key),
                    key=dotted(key),
                    found=f"{how_many} rejected: {worst}",
                    allowed="at least one configuration that satisfies every constraint",
                )
            )
        else:
            choices = list(zip(checked, outcomes, strict=True))
            problems += _impossible_choices(name, choices, document)
    if problems:
        raise InputError(*problems)
    return results


def _reasons(rejected: Sequence[Rejection]) -> collections.Counter[str]:
    """Count rejections by reason; those of one check over several settings are one reason."""
    reasons: collections.Counter[str] = collections.Counter()
    names: dict[tuple[str | None, tuple[str, ...]], str] = {}
    for rejection in rejected:
        reason = rejection.reason
        if rejection.involved:
            others = " and ".join(rejection.involved)
            reason = f"{rejection.field} that does not fit {others}: {reason}"
            reason = names.setdefault((rejection.field, rejection.involved), reason)
        reasons[reason] += 1
    return reasons


def typical(candidates: Sequence[Candidate]) -> Candidate:
    """Return the configuration in the middle by training cost."""
    return sorted(candidates, key=lambda candidate: candidate.predicted_flops)[len(candidates) // 2]


def _checked(space: Space) -> tuple[list[dict[str, Value]], bool]:
    """Return configurations to try out, and whether they are all there are."""
    listed = space.configurations(CHECKED)
    if listed is not None:
        return listed, True
    chance = random.Random(0)
    return [space.draw(chance) for _ in range(CHECKED)], False


def _impossible_choices(
    architecture: str,
    tried: Sequence[tuple[Mapping[str, Value], Candidate | Rejection]],
    document: Document,
) -> list[Problem]:
    """Return choices that a hyperparameter's own range forbids: a slip, not a constraint at work.

    What settings forbid together is a constraint like those of the spec: it rejects the
    configurations that break it, and nothing else.
    """
    by_choice: dict[tuple[str, Value], list[Rejection | None]] = collections.defaultdict(list)
    for chosen, outcome in tried:
        rejection = outcome if isinstance(outcome, Rejection) else None
        for choice in chosen.items():
            by_choice[choice].append(rejection)
    problems = []
    for (name, value), outcomes in by_choice.items():
        own = [found for found in outcomes if found is not None and found.field == name]
        alone = not any(rejection.involved for rejection in own)
        if len(own) == len(outcomes) and alone:
            key = place_of(name, architecture, document)
            problems.append(
                Problem(
                    message=f"a choice that is never possible: {own[0].reason}",
                    where=document.where(key),
                    key=dotted(key),
                    found=repr(value),
                )
            )
    return problems
