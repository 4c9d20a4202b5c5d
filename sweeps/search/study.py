"""One Optuna study for one architecture: proposes new configurations, learns from every trial.

Optuna learns how each trial really ended: one that early stopping ended is PRUNED with its
intermediate values, a diverged or failed one is FAIL, one answered from the store counts like any
other.
"""

import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import optuna
from optuna.trial import TrialState

from picosweep.sweeps.search.candidates import Candidate, Rejection
from picosweep.sweeps.search.ended_trial import EndedTrial
from picosweep.sweeps.search.samplers import KEEP_GENERATIONS, SAMPLERS
from picosweep.sweeps.spec.parameters import Space, Value
from picosweep.sweeps.spec.schema import Search

_REJECTIONS: Final = 200
_DUPLICATES: Final = 10
"""Proposals that one call of `propose` may refuse before it draws at random: a sampler that learns
nothing from a duplicate proposes it again and again."""
_ENUMERABLE: Final = 20_000
"""Finite spaces up to this size are listed, so that the last new configurations are found."""
_SMALL: Final = 2_000
"""Finite spaces up to this size are searched for a new configuration when a sweep is resumed."""

Direction = Literal["minimize", "maximize"]
Build = Callable[[Mapping[str, Value]], Candidate | Rejection]


class ArchitectureStudy:
    """Proposes configurations of one architecture, each at most once.

    Args:
        architecture: name of the architecture, part of the seed.
        space: search space of the architecture.
        search: sampler, its seed, and points to try first.
        directions: `minimize` or `maximize`, one per objective.
        build: completes a configuration or rejects it.
        known: how many trials there are already; a resumed sweep draws other random numbers.
    """

    def __init__(
        self,
        *,
        architecture: str,
        space: Space,
        search: Search,
        directions: Sequence[Direction],
        build: Build,
        known: int = 0,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = zlib.crc32(f"{search.seed}/{architecture}/{known}".encode())
        self._space = space
        self._build = build
        self._single = len(directions) == 1
        self._random = random.Random(seed)
        self._study = optuna.create_study(
            directions=list(directions),
            sampler=SAMPLERS[search.sampler](seed, search.startup_trials, space),
        )
        self._first = list(search.enqueue.get(architecture, ()))
        """Points that the spec wants tried before any other, as far as they are left."""
        self._keeps_generations = search.sampler in KEEP_GENERATIONS
        self._asked: dict[str, optuna.Trial] = {}
        self._restored: dict[str, tuple[Candidate, dict[int, float]]] = {}
        """Trials of an earlier driver that are not in the study yet, with their values so far."""
        self._seen: set[str] = set()
        self.num_rejected = 0
        self.num_duplicates = 0

    def propose(self) -> Candidate | None:
        """Propose a new configuration that breaks no constraint; None when none is found."""
        rejected, duplicates = self.num_rejected, self.num_duplicates
        while (
            self.num_rejected - rejected < _REJECTIONS
            and self.num_duplicates - duplicates < _DUPLICATES
        ):
            if self._first:
                # What the point leaves open is the sampler's choice.
                self._study.enqueue_trial(self._first.pop(0))
            trial = self._study.ask()
            candidate = self._accept(self._space.suggest(trial))
            if candidate is not None:
                self._asked[candidate.trial_id] = trial
                return candidate
            self._study.tell(trial, state=TrialState.FAIL)
        return self._propose_unseen()

    @property
    def is_exhausted(self) -> bool:
        """Whether a small finite space is known to hold nothing new."""
        configurations = self._space.configurations(_SMALL)
        if configurations is None or not self._seen:
            return False
        built = (self._build(chosen) for chosen in configurations)
        return all(isinstance(one, Rejection) or one.trial_id in self._seen for one in built)

    def _accept(self, chosen: Mapping[str, Value]) -> Candidate | None:
        candidate = self._build(chosen)
        if isinstance(candidate, Rejection):
            self.num_rejected += 1
            return None
        if candidate.trial_id in self._seen:
            self.num_duplicates += 1
            return None
        self._seen.add(candidate.trial_id)
        return candidate

    def _propose_unseen(self) -> Candidate | None:
        """Return any new configuration, since the sampler keeps repeating itself."""
        configurations = self._space.configurations(_ENUMERABLE)
        if configurations is None:
            seed = self._random.randrange(2**31)
            anything = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
            drawn = (self._space.suggest(anything.ask()) for _ in range(_REJECTIONS))
        else:
            self._random.shuffle(configurations)
            drawn = (chosen for chosen in configurations)
        for chosen in drawn:
            candidate = self._accept(chosen)
            if candidate is not None:
                self._ask_for(candidate)
                return candidate
        return None

    def _ask_for(self, candidate: Candidate) -> None:
        searched = self._space.distributions(candidate.chosen)
        self._study.enqueue_trial({name: candidate.chosen[name] for name in searched})
        trial = self._study.ask()
        self._space.suggest(trial)
        self._asked[candidate.trial_id] = trial

    def restore(self, candidate: Candidate) -> None:
        """Add a trial that an earlier driver proposed.

        One that the space of today does not hold is known, so that it is not trained again, but
        nothing is learnt from it.
        """
        self._seen.add(candidate.trial_id)
        self._first = [
            point for point in self._first if not point.items() <= candidate.chosen.items()
        ]
        if not self._space.holds(candidate.chosen):
            return
        if self._keeps_generations:
            self._ask_for(candidate)
        else:
            self._restored[candidate.trial_id] = (candidate, {})

    def go_on(self, trial_id: str) -> None:
        """Record that a restored trial has not ended, so that more reports may follow."""
        if trial_id in self._restored:
            candidate, values = self._restored.pop(trial_id)
            self._ask_for(candidate)
            for rung, value in values.items():
                self.report(trial_id, rung, value)

    def report(self, trial_id: str, rung: int, value: float) -> None:
        """Record the first objective at a rung.

        Samplers rank pruned trials by how far they came before they look at the value. Optimizer
        steps would not show that: at the same rung, larger batches or slower models took fewer.
        """
        if trial_id in self._restored:
            self._restored[trial_id][1][rung] = value
        trial = self._asked.get(trial_id)
        if trial is not None and self._single:
            trial.report(value, rung)

    def tell(self, trial_id: str, status: str, values: Sequence[float] | None) -> None:
        """Record how a trial ended.

        Args:
            trial_id: id of the trial; one that the study does not have is ignored.
            status: `completed`, `stopped`, `diverged` or `failed`.
            values: the objectives at its last report; used where it completed.
        """
        if trial_id in self._restored:
            self._add(*self._restored.pop(trial_id), status, values)
        trial = self._asked.pop(trial_id, None)
        if trial is None:
            return
        if status == "completed" and values is not None:
            self._study.tell(trial, list(values))
        else:
            state = TrialState.PRUNED if status == "stopped" else TrialState.FAIL
            self._study.tell(trial, state=state)

    def _add(
        self,
        candidate: Candidate,
        reported: dict[int, float],
        status: str,
        values: Sequence[float] | None,
    ) -> None:
        """Add a trial to the study that had ended before the study was made."""
        distributions = self._space.distributions(candidate.chosen)
        states = {"completed": TrialState.COMPLETE, "stopped": TrialState.PRUNED}
        state = states.get(status, TrialState.FAIL)
        self._study.add_trial(
            EndedTrial.of(
                state=state,
                values=values if state == TrialState.COMPLETE else None,
                params={name: candidate.chosen[name] for name in distributions},
                distributions=distributions,
                intermediate_values=reported if self._single else {},
            )
        )


def objective_values(objectives: Sequence[Any], row: Mapping[str, Any]) -> list[float]:
    """Return the objectives' values of one trial row."""
    return [float(row[objective.metric]) for objective in objectives]
