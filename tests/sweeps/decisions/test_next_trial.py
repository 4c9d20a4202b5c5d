"""Which architecture's turn it is, by how long its trials take."""

from types import SimpleNamespace
from typing import Any

from picosweep.sweeps.decisions.architecture_state import ArchitectureState
from picosweep.sweeps.decisions.next_trial import TrialChooser


class _Sampler:
    """Proposes the same candidate for ever."""

    def __init__(self, name: str) -> None:
        self._name = name

    def propose(self) -> Any:
        """Return it."""
        return SimpleNamespace(trial_id=self._name)

    def tell(self, *_: object) -> None:
        """Learn nothing."""


def _state(name: str, seconds: list[float]) -> ArchitectureState:
    """An architecture whose trials so far took so many seconds each."""
    unused: Any = None
    sampler: Any = _Sampler(name)
    state = ArchitectureState(
        name=name, space=unused, study=sampler, stopper=unused, objectives=(), milestones=()
    )
    for number, one in enumerate(seconds):
        row = {"seconds": one, "cohort": "searched", "rung": 0}
        trial: Any = SimpleNamespace(trial_id=f"{name}{number}", row=row, is_confirmation=False)
        state.add(trial)
        state.on_end(trial, "stopped")
    return state


def _next(wanted: int, *states: ArchitectureState, seeds: int = 0) -> str:
    spec: Any = SimpleNamespace(
        search=SimpleNamespace(trials_per_architecture=wanted, seed=0),
        confirm=SimpleNamespace(top=1, seeds=seeds),
        early_stopping=SimpleNamespace(exempt_fraction=0.0),
    )
    unused: Any = None
    chooser = TrialChooser(spec, unused, {state.name: state for state in states})
    proposed = chooser.propose()
    assert proposed is not None
    return proposed[0].name


def test_long_trials_go_before_as_much_work_in_short_ones() -> None:
    """A long trial begun last would keep one slot busy and leave the others idle."""
    short, long = _state("short", [1.0] * 4), _state("long", [4.0] * 7)
    assert _next(8, short, long) == "long"


def test_confirmations_count_as_long_as_the_longest_trial() -> None:
    """Most searched trials are stopped early; those that confirm a winner run to the end."""
    even, stopped = _state("even", [3.0] * 4), _state("stopped", [1.0, 1.0, 1.0, 6.0])
    assert _next(6, even, stopped) == "stopped"
    assert _next(6, even, stopped, seeds=9) == "stopped"
    assert _next(40, even, stopped) == "even", "work in search counts by the mean"


def test_an_architecture_without_a_trial_comes_first() -> None:
    """What it costs is known only when one has ended; until then it waits for that."""
    fresh, begun = _state("fresh", []), _state("begun", [9.0])
    assert _next(8, fresh, begun) == "fresh"
    waiting: Any = SimpleNamespace(
        trial_id="w", row={"seconds": None, "cohort": "searched"}, is_confirmation=False
    )
    fresh.add(waiting)
    assert _next(8, fresh, begun) == "begun"
