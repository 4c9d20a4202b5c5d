"""Whether a search space can be trained at all, before anything is."""

import collections
import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Final

import optuna

from picosweep.sweeps.errors import InputError, Problem
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory, Rejection
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
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
        outcomes = [_reason(factory.build(name, chosen, spec.seed)) for chosen in checked]
        reasons = collections.Counter(reason for reason in outcomes if reason is not None)
        results[name] = Feasibility(
            num_checked=len(checked),
            num_feasible=len(checked) - reasons.total(),
            complete=complete,
            reasons=reasons,
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
            problems += _impossible_choices(name, checked, outcomes, document)
    if problems:
        raise InputError(*problems)
    return results


def feasible_candidates(
    spec: Spec, name: str, space: Space, factory: CandidateFactory
) -> list[Candidate]:
    """Return the candidates among the configurations that `check_feasibility` tries out."""
    outcomes = [factory.build(name, chosen, spec.seed) for chosen in _checked(space)[0]]
    return [outcome for outcome in outcomes if isinstance(outcome, Candidate)]


def typical(candidates: Sequence[Candidate]) -> Candidate:
    """Return the configuration in the middle by training cost."""
    return sorted(candidates, key=lambda candidate: candidate.predicted_flops)[len(candidates) // 2]


def _checked(space: Space) -> tuple[list[dict[str, Value]], bool]:
    """Return configurations to try out, and whether they are all there are."""
    listed = space.configurations(CHECKED)
    return (listed, True) if listed is not None else (_sample(space), False)


def _reason(outcome: Candidate | Rejection) -> str | None:
    return outcome.reason if isinstance(outcome, Rejection) else None


def _impossible_choices(
    architecture: str,
    checked: list[dict[str, Value]],
    outcomes: list[str | None],
    document: Document,
) -> list[Problem]:
    """Find choices that a hyperparameter's own range forbids: mistakes, whatever else is chosen."""
    by_choice: dict[tuple[str, Value], list[str | None]] = collections.defaultdict(list)
    for chosen, outcome in zip(checked, outcomes, strict=True):
        for choice in chosen.items():
            by_choice[choice].append(outcome)
    problems = []
    for (name, value), reasons in by_choice.items():
        own = [reason for reason in reasons if reason is not None and reason.startswith(name)]
        if len(own) == len(reasons):
            key: KeyPath = ("architectures", architecture, name)
            problems.append(
                Problem(
                    message=f"a choice that is never possible: {own[0]}",
                    where=document.where(key),
                    key=dotted(key),
                    found=repr(value),
                )
            )
    return problems


def _sample(space: Space) -> list[dict[str, Value]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = random.Random(0).randrange(2**31)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(CHECKED)]
