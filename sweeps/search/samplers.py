"""The samplers that a spec can name, all of them Optuna's, and what they ask of a space."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from picosweep.sweeps.errors import InputError, Problem, did_you_mean
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
from picosweep.sweeps.spec.parameters import Space, Value
from picosweep.sweeps.spec.schema import Spec


class _Grid(GridSampler):
    """Optuna's grid; the sweep ends the search, not the sampler."""

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Leave the study running: the base class stops Optuna's own loop, which is not used."""


def _grid(seed: int, startup: int, space: Space) -> BaseSampler:
    searched = {p.name: list(p.values() or ()) for p in space.parameters if p.distribution}
    return _Grid(searched, seed=seed)


SAMPLERS: Final[Mapping[str, Callable[[int, int, Space], BaseSampler]]] = {
    "tpe": lambda seed, startup, _: TPESampler(
        seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True
    ),
    "random": lambda seed, _, __: RandomSampler(seed=seed),
    "qmc": lambda seed, _, __: QMCSampler(
        seed=seed, scramble=True, warn_independent_sampling=False
    ),
    "gp": lambda seed, startup, _: GPSampler(seed=seed, n_startup_trials=startup),
    "cmaes": lambda seed, startup, _: CmaEsSampler(
        seed=seed, n_startup_trials=startup, warn_independent_sampling=False
    ),
    "nsga2": lambda seed, _, __: NSGAIISampler(seed=seed),
    "grid": _grid,
}
"""Makers of samplers, from a seed, the number of random starts and the space."""

KEEP_GENERATIONS: Final = frozenset({"cmaes", "nsga2"})
"""Samplers that record, when a trial is asked for, to which generation it belongs."""

LARGEST_GRID: Final = 100_000
"""Points of one architecture's grid, at most: Optuna holds all of them in memory."""

SINGLE_OBJECTIVE: Final = frozenset({"cmaes"})
"""Samplers that support one objective only."""


def check_search(spec: Spec, spaces: Mapping[str, Space], document: Document) -> None:
    """Check that the sampler can search these spaces, and that the enqueued points lie in them.

    Raises:
        InputError: with one problem for each thing that is wrong.
    """
    problems = [*_check_sampler(spec, spaces, document), *_check_enqueued(spec, spaces, document)]
    if problems:
        raise InputError(*problems)


def _check_sampler(
    spec: Spec, spaces: Mapping[str, Space], document: Document
) -> Sequence[Problem]:
    key: KeyPath = ("search", "sampler")
    place = {"where": document.where(key), "key": dotted(key), "found": spec.search.sampler}
    problems = []
    if spec.search.sampler in SINGLE_OBJECTIVE and len(spec.objectives) > 1:
        others = ", ".join(name for name in SAMPLERS if name not in SINGLE_OBJECTIVE)
        message = f"this sampler knows one objective, and the spec has {len(spec.objectives)}"
        problems.append(Problem(message=message, allowed=others, **place))
    if spec.search.sampler == "grid":
        problems += [
            Problem(
                message=f"a grid needs values that can be listed, and {name}.{parameter.name} "
                "is a continuous range",
                allowed="choices, whole numbers, or a uniform range with a step",
                **place,
            )
            for name, space in spaces.items()
            for parameter in space.parameters
            if parameter.values() is None
        ]
        problems += [
            Problem(
                message=f"a grid must be listed, and that of {name} has {count:,} points",
                allowed=f"at most {LARGEST_GRID:,}: fewer values, or another sampler",
                **place,
            )
            for name, space in spaces.items()
            if (count := space.count()) is not None and count > LARGEST_GRID
        ]
    return problems


def _check_enqueued(
    spec: Spec, spaces: Mapping[str, Space], document: Document
) -> Sequence[Problem]:
    problems = []
    for name, points in spec.search.enqueue.items():
        if name not in spaces:
            key: KeyPath = ("search", "enqueue", name)
            problems.append(
                Problem(
                    message="no such architecture in this spec",
                    where=document.where(key),
                    key=dotted(key),
                    found=name,
                    allowed=", ".join(spaces),
                    hint=did_you_mean(name, spaces),
                )
            )
            continue
        for index, point in enumerate(points):
            key = ("search", "enqueue", name, index)
            problems += _check_point(point, spaces[name], spec, key, document)
    return problems


def _check_point(
    point: Mapping[str, Value], space: Space, spec: Spec, key: KeyPath, document: Document
) -> Sequence[Problem]:
    searched = {p.name: p for p in space.parameters if p.distribution is not None}
    place = {"where": document.where(key), "key": dotted(key)}
    problems = []
    for name, value in point.items():
        if name not in searched:
            allowed = ", ".join(searched) or "none: nothing varies in this space"
            problems.append(
                Problem(
                    message=f"{name} is not searched in this space",
                    found=name,
                    allowed=allowed,
                    hint=did_you_mean(name, searched),
                    **place,
                )
            )
        elif not _contains(searched[name].distribution, value):
            problems.append(
                Problem(
                    message=f"{name} lies outside its space",
                    found=repr(value),
                    allowed=str(searched[name].distribution),
                    **place,
                )
            )
    missing = sorted(searched.keys() - point.keys())
    if spec.search.sampler == "grid" and missing:
        message = f"a grid cannot choose what an enqueued point leaves open: {', '.join(missing)}"
        problems.append(Problem(message=message, found=str(dict(point)), **place))
    return problems


def _contains(distribution: Any, value: Any) -> bool:
    """Return whether a value lies in a distribution; `True` does not count as 1."""
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return any(value == c and type(value) is type(c) for c in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return bool(distribution._contains(distribution.to_internal_repr(value)))
