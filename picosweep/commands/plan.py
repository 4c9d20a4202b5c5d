"""The plan of a sweep before it runs: `picosweep run SPEC --dry-run`.

Feasible shares come from trying out configurations, speeds from training a typical one for a few
steps on this machine, tokens from arithmetic.
"""

import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from picosweep.pico.training.process import prepare_process
from picosweep.pico.training.train import train
from picosweep.sweeps.data import SweepData, prepare_all
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.search.feasibility import (
    Feasibility,
    check_feasibility,
    feasible_candidates,
    typical,
)
from picosweep.sweeps.search.samplers import check_search
from picosweep.sweeps.spec.architectures import NamedArchitecture, find_architectures
from picosweep.sweeps.spec.load import load_spec
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.spec.spaces import build_spaces

TIMED_STEPS: Final = 6
"""Steps of the timed training, the first half of which warms up."""


@dataclass(frozen=True, kw_only=True)
class ArchitecturePlan:
    """What a sweep would do with one architecture."""

    name: str
    feasibility: Feasibility
    num_configurations: int | None
    """Size of the space where it is finite and not huge."""
    num_trials: int
    num_confirmations: int
    worst_tokens: float
    """If no trial is stopped early."""
    expected_tokens: float
    """If early stopping lets one in `factor`, or every second, go on at every rung."""
    tokens_per_second: float
    """Of the typical configuration in one slot of this machine."""
    memory_bytes: int
    """Of the largest configuration that was looked at."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep would do."""

    rungs: tuple[float, ...]
    unit: str
    slots: int
    architectures: tuple[ArchitecturePlan, ...]

    @property
    def expected_seconds(self) -> float:
        """Busy time over all slots, at the speeds measured here."""
        return sum(plan.expected_tokens / plan.tokens_per_second for plan in self.architectures)


def plan_sweep(path: Path, results: Path) -> Plan:
    """Work out what a spec would do; prepares the data, writes nothing else.

    Raises:
        InputError: the spec or the data cannot be used.
    """
    spec, document = load_spec(path)
    architectures = find_architectures(spec, document)
    spaces, constraints = build_spaces(spec, document, architectures)
    check_search(spec, spaces, document)
    data = prepare_all(spec, document, spaces, results)
    factory = CandidateFactory(spec, architectures, data.metas, constraints)
    feasibility = check_feasibility(spec, spaces, factory, document)
    prepare_process()
    slots = max(1, math.floor(len(os.sched_getaffinity(0)) / spec.resources.cpu))
    return Plan(
        rungs=spec.budget.milestones,
        unit=spec.budget.unit,
        slots=min(slots, spec.resources.max_concurrent or slots),
        architectures=tuple(
            _plan(spec, architectures[name], space, factory, data, feasibility[name])
            for name, space in spaces.items()
        ),
    )


def _plan(
    spec: Spec,
    architecture: NamedArchitecture,
    space: Space,
    factory: CandidateFactory,
    data: SweepData,
    feasibility: Feasibility,
) -> ArchitecturePlan:
    candidates = feasible_candidates(spec, architecture.name, space, factory)
    listed = space.configurations(1_000_000)
    num_trials = spec.search.trials_per_architecture
    if listed is not None:
        share = feasibility.num_feasible / feasibility.num_checked
        num_trials = min(num_trials, max(1, round(len(listed) * share)))
    confirmations = spec.confirm.top * spec.confirm.seeds
    speed = _measure_speed(typical(candidates), data)
    full = statistics.median(_tokens(candidate, -1, speed) for candidate in candidates)
    return ArchitecturePlan(
        name=architecture.name,
        feasibility=feasibility,
        num_configurations=None if listed is None else len(listed),
        num_trials=num_trials,
        num_confirmations=confirmations,
        worst_tokens=full * (num_trials + confirmations),
        expected_tokens=num_trials * _expected_tokens(spec, candidates, speed)
        + full * confirmations,
        tokens_per_second=speed,
        memory_bytes=max(candidate.facts.memory_bytes for candidate in candidates),
    )


def _tokens(candidate: Candidate, rung: int, tokens_per_second: float) -> float:
    plan = candidate.plan
    per_mark = candidate.trial.tokens_per_step if plan.unit == "steps" else tokens_per_second
    return plan.rungs[rung] * per_mark


def _expected_tokens(
    spec: Spec, candidates: Sequence[Candidate], tokens_per_second: float
) -> float:
    """Tokens of a searched trial when each rung passes its share on."""
    exempt = spec.early_stopping.exempt_fraction
    passing = {"none": 1.0, "median": 0.5, "asha": 1 / spec.budget.factor}[
        spec.early_stopping.scheduler
    ]
    usual = typical(candidates)
    total, reaching, before = 0.0, 1.0, 0.0
    for rung in range(spec.budget.rungs):
        tokens = _tokens(usual, rung, tokens_per_second)
        total += reaching * (tokens - before)
        before, reaching = tokens, reaching * passing
    return (1 - exempt) * total + exempt * before


def _measure_speed(candidate: Candidate, data: SweepData) -> float:
    prepared = data.by_fingerprint[candidate.fingerprints["data_fingerprint"]]
    steps = (TIMED_STEPS // 2, TIMED_STEPS)
    *_, last = train(candidate.trial, prepared, report_steps=steps)
    return last.tokens_per_second
