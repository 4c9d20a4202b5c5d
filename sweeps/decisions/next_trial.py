"""What a sweep does next: whose turn it is, which cohort a trial belongs to, what is left."""

import math
from collections.abc import Mapping
from typing import Final

from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.trial import draw_cohort
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.spec.schema import Spec

LONGEST_AHEAD: Final = 4
"""Trials as long as an architecture's longest by which it goes before one whose search is done:
`benchmarks.packing` shows how long slots are idle at the end."""


class TrialChooser:
    """Chooses the next trial of a sweep.

    Args:
        spec: what is to be searched, and which winners are to be confirmed.
        factory: builds the candidates that re-run a winner on fresh seeds.
        architectures: state of each architecture by name; it grows with the sweep.
    """

    def __init__(
        self, spec: Spec, factory: CandidateFactory, architectures: Mapping[str, ArchitectureState]
    ) -> None:
        self._spec = spec
        self._factory = factory
        self._architectures = architectures

    def propose(self) -> tuple[ArchitectureState, Candidate, str] | None:
        """Propose a new trial: its architecture, candidate and cohort; None if there is none now.

        It is one of the architecture that has most work left: long jobs first keeps every slot
        busy to the end. Confirmations count as long as its longest trial, and one with trials left
        to search counts a few such trials more: its confirmations must wait for the last of them.
        An architecture without a trial comes before all others; one of whose trials none has ended,
        so that their cost is unknown, comes last.
        """
        for state in sorted(self._architectures.values(), key=self._work_left, reverse=True):
            if self._search_left(state):
                candidate = state.study.propose()
                if candidate is None:
                    state.exhausted = True
                    continue
                return state, candidate, self._cohort(state)
            candidate = next(iter(self._confirmations_left(state)), None)
            if candidate is not None:
                return state, candidate, "confirm"
        return None

    @property
    def is_done(self) -> bool:
        """Whether no architecture has a trial left to begin."""
        return all(self.remaining(state) == 0 for state in self._architectures.values())

    def remaining(self, state: ArchitectureState) -> int:
        """Return how many trials of an architecture may still be admitted, at most."""
        search = self._search_left(state)
        if search or not state.is_searched:
            return search + self._spec.confirm.top * self._spec.confirm.seeds
        return len(self._confirmations_left(state))

    def remarks(self) -> list[str]:
        """Return what the user should know of how the search went, in sentences."""
        wanted = self._spec.search.trials_per_architecture
        return [
            f"{state.name}: its space has nothing left to try after "
            f"{len(state.searched)} trials; {wanted} were asked for"
            for state in self._architectures.values()
            if state.exhausted and len(state.searched) < wanted
        ]

    def _search_left(self, state: ArchitectureState) -> int:
        if state.exhausted:
            return 0
        return max(0, self._spec.search.trials_per_architecture - len(state.searched))

    def _work_left(self, state: ArchitectureState) -> float:
        mean = state.mean_seconds()
        if mean is None:
            return math.inf if state.is_empty else 0.0
        searched = self._search_left(state)
        confirmed = self.remaining(state) - searched
        ahead = LONGEST_AHEAD if searched else 0
        return mean * searched + state.longest_seconds * (confirmed + ahead)

    def _cohort(self, state: ArchitectureState) -> str:
        ordinal = f"{self._spec.search.seed}/{state.name}/{len(state.searched)}"
        return draw_cohort(ordinal, self._spec.early_stopping.exempt_fraction)

    def _confirmations_left(self, state: ArchitectureState) -> list[Candidate]:
        """Return winners to re-run on fresh seeds; none before every searched trial has ended."""
        confirm = self._spec.confirm
        if not confirm.top or not state.is_searched:
            return []
        begun = {trial.trial_id for trial in state.confirmations}
        best = state.ranked(self._spec.budget.rungs - 1)
        again = [
            self._factory.with_seed(trial.candidate, self._spec.seed + offset)
            for trial in best[: confirm.top]
            for offset in range(1, confirm.seeds + 1)
        ]
        return [candidate for candidate in again if candidate.trial_id not in begun]
