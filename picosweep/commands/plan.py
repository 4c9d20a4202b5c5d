"""The plan of a sweep before it runs: `picosweep run SPEC --dry-run`.

Feasible shares come from trying out configurations, speeds from training a typical one for a few
steps on this machine, tokens from arithmetic.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.process import prepare_timing
from picosweep.pico.training.speed import tokens_per_second
from picosweep.sweeps.asking.check import check_asked
from picosweep.sweeps.data import SweepData, prepare_all
from picosweep.sweeps.data_in_words import data_in_words
from picosweep.sweeps.initial_weights import initial_checkpoints, starting_weights
from picosweep.sweeps.pairs import check_pairs
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.search.feasibility import Feasibility, typical
from picosweep.sweeps.search.setup import CheckedSweep, ReadySweep, check_sweep
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.mirror import open_results
from picosweep.sweeps.workers.machine import usable_cpus

MOST_FLOPS: Final = 1e11
"""Of one step that is taken to measure a speed: some two seconds of one core."""


@dataclass(frozen=True, kw_only=True)
class ArchitecturePlan:
    """What a sweep would do with one architecture."""

    name: str
    feasibility: Feasibility
    num_configurations: int | None
    """Size of the space, above a million without regard to conditions; None: infinite."""
    num_trials: int
    num_confirmations: int
    worst_tokens: float
    """Tokens in training if no trial is stopped early."""
    expected_tokens: float
    """Tokens if early stopping lets one in `factor`, or every second, go on at every rung."""
    tokens_per_second: float
    """Speed of the typical configuration in one slot of this machine."""
    memory_bytes: int
    """Memory of the largest configuration that was checked."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep would do."""

    rungs: tuple[float, ...]
    unit: str
    slots: int
    """Trials that run at once: no more than there are."""
    architectures: tuple[ArchitecturePlan, ...]
    remarks: tuple[str, ...]
    """What the user should know of how the spec was read, in sentences."""
    sft: "Plan | None" = None
    """The sweep that trains the references first."""

    @property
    def expected_seconds(self) -> float:
        """Busy time over all slots, at the speeds measured on this machine."""
        return sum(plan.expected_tokens / plan.tokens_per_second for plan in self.architectures)


def plan(spec: str | Path | Mapping[str, Any], *, results: str | Path = "results") -> Plan:
    """Work out what a spec would do; the prepared data is all that is written.

    Args:
        spec: path of a YAML file, or the content of one.
        results: folder or address in which the sweeps are, and the prepared data.

    Raises:
        InputError: the spec or the data cannot be used.
    """
    checked = check_sweep(spec)
    folder = open_results(results)
    data = prepare_all(checked, folder)
    check_asked(checked.spec, checked.document, data.by_fingerprint.values())
    prepare_timing()
    if checked.sft is None:
        initial = initial_checkpoints(checked.spec, checked.document, folder)
        return _whole(checked, data, initial)
    first = checked.sft.with_data(data.metas)
    # What the references will have learnt changes no speed: untrained ones stand for them.
    initial = {
        name: _untrained(typical(found.candidates), data)
        for name, found in first.feasibility.items()
    }
    return replace(_whole(checked, data, initial), sft=_whole(checked.sft, data, {}))


def _untrained(candidate: Candidate, data: SweepData) -> bytes:
    """Return a checkpoint of a configuration with random weights."""
    trial = candidate.trial
    trial = replace(trial, training=replace(trial.training, precision="fp32"))
    prepared = data.by_fingerprint[candidate.fingerprints["data_fingerprint"]]
    return TrainingLoop(trial, prepared).checkpoint()


def _whole(checked: CheckedSweep, data: SweepData, initial: Mapping[str, bytes]) -> Plan:
    starts = starting_weights(initial, checked.document)
    sweep = checked.with_data(data.metas, starts=starts)
    slots = max(1, math.floor(usable_cpus() / checked.spec.resources.cpu))
    parts = tuple(_plan(sweep, name, data, initial.get(name)) for name in sweep.spaces)
    num_trials = sum(part.num_trials + part.num_confirmations for part in parts)
    return Plan(
        rungs=checked.spec.budget.milestones,
        unit=checked.spec.budget.unit,
        slots=min(slots, checked.spec.resources.max_concurrent or slots, num_trials),
        architectures=parts,
        remarks=(
            *data_in_words(sweep, data),
            *data.reading,
            *check_pairs(sweep, data),
            *sweep.remarks,
        ),
    )


def _plan(sweep: ReadySweep, name: str, data: SweepData, initial: bytes | None) -> ArchitecturePlan:
    spec, space, feasibility = sweep.spec, sweep.spaces[name], sweep.feasibility[name]
    candidates = feasibility.candidates
    listed = space.configurations(1_000_000)
    count = space.count() if listed is None else len(listed)
    num_trials = spec.search.trials_per_architecture
    if count is not None:
        share = feasibility.num_feasible / feasibility.num_checked
        num_trials = min(num_trials, max(1, round(count * share)))
    confirmations = spec.confirm.top * spec.confirm.seeds
    speed = _measure_speed(typical(candidates), data, initial)
    full = statistics.median(_tokens(candidate, -1, speed) for candidate in candidates)
    return ArchitecturePlan(
        name=name,
        feasibility=feasibility,
        num_configurations=count,
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
    """Return the mean tokens of a searched trial when each rung passes its share on."""
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


def _measure_speed(candidate: Candidate, data: SweepData, initial: bytes | None) -> float:
    """Return the speed of a configuration; a large step is measured on fewer rows."""
    prepared = data.by_fingerprint[candidate.fingerprints["data_fingerprint"]]
    trial = candidate.trial
    share = MOST_FLOPS / (candidate.facts.flops_per_token * trial.tokens_per_step)
    if share < 1:
        rows = max(1, int(share * trial.training.batch_size))
        trial = replace(trial, training=replace(trial.training, batch_size=rows, accumulation=1))
    return tokens_per_second(trial, prepared, initial=initial)
