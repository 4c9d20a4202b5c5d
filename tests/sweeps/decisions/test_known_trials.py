"""A spec that changes under its name: what was trained stays, what no longer belongs never wins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.search.ranking import Ranking
from tests.sweeps.simulation import Simulation, spec_with

Simulate = Callable[..., Simulation]


def spec(widths: list[int], **changes: Any) -> dict[str, Any]:
    plain = {
        "search": {"trials_per_architecture": 4, "startup_trials": 2},
        "early_stopping": {"scheduler": "none"},
        "common": {"batch_size": 4},
        "confirm": {"top": 0},
        "architectures": {"kgram": {"hidden_size": widths}},
    }
    return spec_with(**(plain | changes))


def run(simulate: Simulate, folder: Path, written: dict[str, Any]) -> Simulation:
    simulation = simulate(folder, written)
    assert simulation.run()
    simulation.kill()
    return simulation


def current(simulation: Simulation) -> dict[int, bool]:
    """Whether each width's searched trial counts."""
    rows = simulation.store.trials.values()
    return {row["hidden_size"]: row["current"] for row in rows if row["cohort"] != "confirm"}


def test_another_space_is_searched_and_the_trials_of_the_old_one_do_not_count(
    tmp_path: Path, simulate: Simulate
) -> None:
    run(simulate, tmp_path, spec([16, 64]))
    after = run(simulate, tmp_path, spec([24, 32, 64]))
    assert current(after) == {16: False, 64: True, 24: True, 32: True}
    assert after.steps_trained
    assert any("not counted: 1 trial " in remark for remark in after.coordinator.remarks())
    back = run(simulate, tmp_path, spec([16, 64]))
    assert current(back) == {16: True, 64: True, 24: False, 32: False}
    assert not back.steps_trained


@pytest.mark.parametrize(
    "changes",
    [
        {"constraints": ["hidden_size < 64"]},
        {"architectures": {"kgram": {"hidden_size": [16, 32]}}},
        {"common": {"batch_size": 8}},
        {"common": {"batch_size": 4, "weight_decay": 0.1}},
        {"seed": 5},
    ],
)
def test_the_best_is_of_todays_spec(
    tmp_path: Path, simulate: Simulate, changes: dict[str, Any]
) -> None:
    before = run(simulate, tmp_path, spec([16, 64]))
    old = {row["trial_id"] for row in before.store.trials.values() if row["hidden_size"] == 64}
    after = run(simulate, tmp_path, spec([16, 64], confirm={"top": 1, "seeds": 2}, **changes))
    rows = list(after.store.trials.values())
    (winner,) = Ranking().winners(rows)
    assert winner.row["current"]
    assert winner.row["trial_id"] not in old
    confirmed = [row for row in rows if row["cohort"] == "confirm"]
    assert len(confirmed) == 2
    assert {row["hidden_size"] for row in confirmed} == {winner.row["hidden_size"]}
    assert all(row["current"] for row in confirmed)


def test_trials_of_an_architecture_that_is_gone_do_not_count(
    tmp_path: Path, simulate: Simulate
) -> None:
    both = {"kgram": {"hidden_size": 16}, "lstm": {"hidden_size": 8}}
    run(simulate, tmp_path, spec([], architectures=both))
    after = run(simulate, tmp_path, spec([16]))
    rows = after.store.trials.values()
    assert {row["architecture"]: row["current"] for row in rows} == {"kgram": True, "lstm": False}
    assert len(Ranking().winners(list(rows))) == 1


def test_a_default_that_is_written_out_is_the_same_trial(
    tmp_path: Path, simulate: Simulate
) -> None:
    run(simulate, tmp_path, spec([16]))
    written = spec([16], common={"batch_size": 4, "weight_decay": 0.01})
    assert current(run(simulate, tmp_path, written)) == {16: True}


def test_a_fixed_value_that_becomes_a_choice_keeps_its_trial(
    tmp_path: Path, simulate: Simulate
) -> None:
    run(simulate, tmp_path, spec([], architectures={"kgram": {"hidden_size": 16}}))
    after = run(simulate, tmp_path, spec([16, 32]))
    assert current(after) == {16: True, 32: True}
