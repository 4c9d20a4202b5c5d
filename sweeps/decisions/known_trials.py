"""The trials that earlier drivers left: which of them belong to the spec, data and code of today.

A spec may change under the same name. Trials that it could no longer propose stay in the tables
and are marked there: they neither win nor count towards the trials that were asked for.
"""

from collections.abc import Iterator, Mapping

from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.store import Store


def known_trials(
    spec: Spec, spaces: Mapping[str, Space], factory: CandidateFactory, store: Store
) -> Iterator[Trial]:
    """Yield the stored trials that are of today's spec, and mark all rows accordingly.

    Args:
        spec: the sweep's spec.
        spaces: each architecture's search space.
        factory: completes configurations and gives them their identity.
        store: the sweep's rows.
    """
    changed = []
    for row in list(store.trials.values()):
        candidate = factory.from_config(row["config"], spaces)
        is_current = candidate is not None and _could_be_proposed(
            candidate, spaces[candidate.architecture], factory, _seed_of(candidate, row, spec)
        )
        marked = row if row.get("current", True) == is_current else row | {"current": is_current}
        if marked is not row:
            changed.append(("trials", marked))
        if candidate is not None and is_current:
            yield Trial(candidate=candidate, row=dict(marked))
    if changed:
        store.commit(*changed)


def _seed_of(candidate: Candidate, row: Mapping[str, object], spec: Spec) -> int:
    """Return the seed that the trial has if it is of today's spec."""
    return candidate.trial.seed if row["cohort"] == "confirm" else spec.seed


def _could_be_proposed(
    candidate: Candidate, space: Space, factory: CandidateFactory, seed: int
) -> bool:
    """Return whether the space and the constraints of today lead to this very trial."""
    if not space.holds(candidate.chosen):
        return False
    again = factory.build(candidate.architecture, candidate.chosen, seed)
    return isinstance(again, Candidate) and again.trial_id == candidate.trial_id
