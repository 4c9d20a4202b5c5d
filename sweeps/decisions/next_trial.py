"""What a sweep does next: whose turn it is, which cohort a trial belongs to, what is left."""

import math
from collections.abc import Mapping

from picosweep.sweeps.decisions.architecture_state import Family
from picosweep.sweeps.decisions.trial import draw_cohort
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.spec.schema import Spec


class Agenda:
    """Chooses the next trial of a sweep.

    Args:
        spec: the sweep.
        factory: gives a winner its fresh seeds.
        families: the sweep's architectures, as they grow.
    """

    def __init__(
        self, spec: Spec, factory: CandidateFactory, families: Mapping[str, Family]
    ) -> None:
        self._spec = spec
        self._factory = factory
        self._families = families

    def propose(self) -> tuple[Family, Candidate, str] | None:
        """A new trial and its cohort; None where there is none now.

        It is one of the architecture that has most work left: long jobs first keeps every slot
        busy to the end. An architecture whose cost is not known yet comes before all others.
        """
        for family in sorted(self._families.values(), key=self._work_left, reverse=True):
            if self._search_left(family):
                candidate = family.sampler.propose()
                if candidate is None:
                    family.exhausted = True
                    continue
                return family, candidate, self._cohort(family)
            candidate = next(iter(self._confirmations_left(family)), None)
            if candidate is not None:
                return family, candidate, "confirm"
        return None

    @property
    def is_done(self) -> bool:
        """Whether no architecture has a trial left to begin."""
        return all(self.remaining(family) == 0 for family in self._families.values())

    def remaining(self, family: Family) -> int:
        """Trials of an architecture not admitted yet, as far as can be known."""
        search = self._search_left(family)
        if search or not family.is_searched:
            return search + self._spec.confirm.top * self._spec.confirm.seeds
        return len(self._confirmations_left(family))

    def remarks(self) -> list[str]:
        """What the user should know of how the search went, in sentences."""
        wanted = self._spec.search.trials_per_architecture
        return [
            f"{family.name}: its space has nothing left to try after "
            f"{len(family.searched)} trials; {wanted} were asked for"
            for family in self._families.values()
            if family.exhausted and len(family.searched) < wanted
        ]

    def _search_left(self, family: Family) -> int:
        if family.exhausted:
            return 0
        return max(0, self._spec.search.trials_per_architecture - len(family.searched))

    def _work_left(self, family: Family) -> float:
        mean = family.mean_seconds()
        if mean is None:
            return math.inf if family.is_empty else 0.0
        return mean * self.remaining(family)

    def _cohort(self, family: Family) -> str:
        ordinal = f"{self._spec.search.seed}/{family.name}/{len(family.searched)}"
        return draw_cohort(ordinal, self._spec.early_stopping.exempt_fraction)

    def _confirmations_left(self, family: Family) -> list[Candidate]:
        """Winners to re-run on fresh seeds, once every searched trial has ended."""
        confirm = self._spec.confirm
        if not confirm.top or not family.is_searched:
            return []
        begun = {trial.trial_id for trial in family.confirmations}
        best = family.ranked(self._spec.budget.rungs - 1)
        again = [
            self._factory.with_seed(trial.candidate, self._spec.seed + offset)
            for trial in best[: confirm.top]
            for offset in range(1, confirm.seeds + 1)
        ]
        return [candidate for candidate in again if candidate.trial_id not in begun]
