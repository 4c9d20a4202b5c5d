"""The order of the queue, and what a driver's end means."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from picosweep.service.queue.submissions import (
    Submission,
    ended,
    in_order,
    moved,
    next_to_start,
)


def _waiting(name: str, **changes: object) -> Submission:
    return replace(Submission(id=name, sweep=name, spec=""), **changes)  # type: ignore[arg-type]


def test_higher_priorities_start_first_and_then_who_came_first() -> None:
    """The order is that of priority, then of position."""
    queue = [
        _waiting("late", position=3.0),
        _waiting("early", position=1.0),
        _waiting("urgent", priority=5, position=9.0),
        _waiting("done", state="completed"),
    ]
    assert [one.id for one in in_order(queue)] == ["urgent", "early", "late"]


def test_no_more_run_than_may_and_none_twice() -> None:
    """A second submission of a sweep that runs waits for it, and others pass it."""
    running = _waiting("a", state="running")
    again, other = _waiting("b", sweep="a", position=1.0), _waiting("c", position=2.0)
    assert next_to_start([running, again, other], at_once=1) is None
    chosen = next_to_start([running, again, other], at_once=2)
    assert chosen is not None
    assert chosen.id == "c"
    assert next_to_start([running, again], at_once=2) is None


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=7, unique=True), st.data())
def test_a_sweep_is_moved_to_the_place_that_was_named(places: list[float], data: object) -> None:
    """Wherever it stood, it stands there then, and the others keep their order."""
    queue = [_waiting(str(n), position=at) for n, at in enumerate(places)]
    one = data.draw(st.sampled_from(queue))  # type: ignore[attr-defined]
    place = data.draw(st.integers(0, len(queue) + 2))  # type: ignore[attr-defined]
    before = [x.id for x in in_order(queue) if x.id != one.id]
    after = in_order([moved(one, queue, place), *(x for x in queue if x.id != one.id)])
    expected = [*before[:place], one.id, *before[place:]]
    assert [x.id for x in after] == expected


@pytest.mark.parametrize(
    ("code", "wish", "state"),
    [
        (0, "", "completed"), (0, "pause", "completed"), (2, "", "refused"), (3, "", "incomplete"),
        (130, "pause", "paused"), (130, "cancel", "cancelled"), (130, "", "failed"),
        (None, "", "failed"), (None, "pause", "paused"), (1, "", "failed"),
    ],
)  # fmt: skip
def test_an_exit_code_becomes_a_state(code: int | None, wish: str, state: str) -> None:
    """What was asked for is no failure; a reason stays where there is something to do."""
    one = ended(_waiting("a", state="running", wish=wish), code, "words", 5.0)
    assert (one.state, one.wish, one.exit_code, one.ended_at) == (state, "", code, 5.0)
    assert bool(one.reason) == (state in ("refused", "incomplete", "failed"))


def test_rows_come_back_and_damaged_ones_do_not() -> None:
    """A later version's field is left out; a row without an id is none."""
    one = _waiting("a", priority=3)
    assert Submission.from_row({**one.to_row(), "new": 1}) == one
    with pytest.raises(ValueError, match="no submission"):
        Submission.from_row({"sweep": "a"})
