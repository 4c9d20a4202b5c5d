"""What `picosweep suggest` does: next steps that are changes of a spec which still can be run."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from picosweep.analysis.next_steps import Change, NextStep, next_steps
from picosweep.analysis.results import ResultsError, load
from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.search.candidates import DataIdentity
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.mirror import open_results
from picosweep.sweeps.workers.simulated import SimulatedData

LEAST_KEPT: Final = 0.75
"""Share of what could be trained that has to be left of it after a space was changed."""


def suggest(sweep: str, *, results: str | Path = "results") -> tuple[NextStep, ...]:
    """Return what to change in a sweep's spec so that it can say what it cannot say yet.

    Args:
        sweep: name or folder of the sweep.
        results: folder or address in which the sweeps are.

    Returns:
        next steps, the most telling first, none of which makes a spec that cannot be run.

    Raises:
        InputError: there is no such sweep, it has no trials yet, or no spec lies beside them.
    """
    folder = find_sweep(sweep, open_results(results))
    try:
        known = load(folder)
    except ResultsError as error:
        raise input_error(str(error)) from error
    spec = known.specs.get(known.sweeps[0])
    if spec is None:
        raise input_error(
            "the sweep's spec.json is missing or damaged, so nothing can be changed in it",
            where=str(folder),
        )
    return tuple(step for step in next_steps(known) if _can_run(spec, step.changes))


def changed(spec: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return the content of a spec after some changes."""
    content = copy.deepcopy(dict(spec))
    for change in changes:
        section = content
        for key in change.key[:-1]:
            section = section.setdefault(key, {})
        section[change.key[-1]] = change.after
    return content


def _can_run(spec: Mapping[str, Any], changes: Sequence[Change]) -> bool:
    """Return whether a changed search space holds what can be trained; other changes always do.

    A range that goes on into what a model refuses, such as a dropout above one, loses
    configurations by it. Where the spec as it is cannot be checked, because a class of the user's
    own is not here today, say, nobody knows better.
    """
    changed_spaces = [change for change in changes if change.key[0] == "architectures"]
    for change in changed_spaces:
        only = {change.key[1]: spec["architectures"][change.key[1]]}
        before = _feasible_share(dict(spec) | {"architectures": only})
        after = _feasible_share(changed(dict(spec) | {"architectures": only}, [change]))
        if before and after < LEAST_KEPT * before:
            return False
    return True


def _feasible_share(spec: Mapping[str, Any]) -> float:
    """Return how much of a spec's space can be trained; 0 where the spec cannot be used."""
    try:
        checked = check_sweep({key: value for key, value in spec.items() if key != "comparable"})
        (found,) = checked.with_data(_AnyData()).feasibility.values()
    except InputError:
        return 0.0
    return found.num_feasible / found.num_checked


class _AnyData(dict[int, DataIdentity]):
    """Data in whichever vocabulary is asked for."""

    def __missing__(self, vocab_size: int) -> DataIdentity:
        return SimulatedData(vocab_size=vocab_size)
