"""What a spec asks of the search: samplers, schedulers, points to begin with, limits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.samplers import SAMPLERS, check_search
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.spec.spaces import build_spaces
from tests.sweeps.simulation import SPEC, Simulation, spec_with

Simulate = Callable[..., Simulation]
NOWHERE = Document(path=Path("spec"), content={}, lines={})
FINITE: dict[str, Any] = {
    "common": {"batch_size": [4, 8]},
    "confirm": {"top": 0},
    "architectures": {
        "kgram": {
            "context_size": [1, 2, 3],
            "embed_size": {"int_uniform": [8, 16], "step": 8},
            "token_dropout": {"uniform": [0.0, 0.2], "step": 0.1},
        }
    },
}


def _check(**changes: Any) -> None:
    spec = parse_spec(spec_with(**changes))
    spaces, _ = build_spaces(spec, NOWHERE, find_architectures(spec, NOWHERE))
    check_search(spec, spaces, NOWHERE)


@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"grid"}))
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_sampler_runs_a_sweep_that_is_killed(
    simulate: Simulate, tmp_path: Path, sampler: str
) -> None:
    """It proposes, learns, is killed, learns again from the store, and comes to the end."""
    spec = spec_with(search={"sampler": sampler, "trials_per_architecture": 8, "startup_trials": 3})
    first = simulate(tmp_path, spec)
    first.run(events=40)
    first.kill()
    second = simulate(tmp_path, spec)
    assert second.run()
    ids = [row["trial_id"] for row in second.store.trials.values() if row["cohort"] != "confirm"]
    assert len(ids) == len(set(ids)) == 16


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_several_objectives(simulate: Simulate, tmp_path: Path, sampler: str) -> None:
    """Optuna hears the value of every objective of a completed trial."""
    objectives = [{"metric": "val_loss"}, {"metric": "num_params"}]
    search = {"sampler": sampler, "trials_per_architecture": 12, "startup_trials": 3}
    simulation = simulate(tmp_path, spec_with(objectives=objectives, search=search))
    assert simulation.run()
    study = simulation.coordinator.architectures["kgram"].study._study
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert complete
    rows = [r for r in simulation.store.trials.values() if r["status"] == "completed"]
    told = {(r["val_loss"], r["num_params"]) for r in rows}
    assert {(t.values[0], t.values[1]) for t in complete} <= told


def test_a_grid_is_searched_whole_and_once(simulate: Simulate, tmp_path: Path) -> None:
    """Every configuration of a finite space, also across a killed driver, and then the end."""
    search = {"sampler": "grid", "trials_per_architecture": 100}
    spec = spec_with(**FINITE, search=search)
    first = simulate(tmp_path, spec)
    first.run(events=30)
    first.kill()
    second = simulate(tmp_path, spec)
    assert second.run()
    rows = second.store.trials.values()
    tried = {
        (r["context_size"], r["embed_size"], r["token_dropout"], r["batch_size"]) for r in rows
    }
    assert len(rows) == len(tried) == 3 * 2 * 3 * 2
    assert second.coordinator.architectures["kgram"].exhausted
    assert second.coordinator.remarks() == [
        "kgram: its space has nothing left to try after 36 trials; 100 were asked for"
    ]
    second.kill()
    assert simulate(tmp_path, spec).coordinator.finished  # nothing has to be started to know it


def test_a_grid_over_a_continuous_range_is_refused() -> None:
    """The message names the range and what would be possible."""
    with pytest.raises(InputError, match=r"kgram.learning_rate is a continuous range") as caught:
        _check(search={"sampler": "grid"})
    assert "with a step" in str(caught.value)


def test_a_sampler_for_one_objective_is_refused_for_two() -> None:
    """CMA-ES would fail in the middle of the sweep."""
    two = [{"metric": "val_loss"}, {"metric": "num_params"}]
    with pytest.raises(InputError, match="one objective"):
        _check(search={"sampler": "cmaes"}, objectives=two)


def test_enqueued_points_come_first_and_once(simulate: Simulate, tmp_path: Path) -> None:
    """Whole or in part, also across a killed driver; the sampler fills in the rest."""
    whole = {"context_size": 2, "embed_size": 16, "batch_size": 8, "learning_rate": 0.005}
    part = {"context_size": 3, "embed_size": 8}
    search = {"trials_per_architecture": 4, "enqueue": {"kgram": [whole, part]}}
    spec = spec_with(search=search, confirm={"top": 0})
    first = simulate(tmp_path, spec)
    first.run(events=3)
    first.kill()
    second = simulate(tmp_path, spec)
    assert second.run()
    kgrams = [r for r in second.store.trials.values() if r["architecture"] == "kgram"]
    assert len(kgrams) == 4
    assert whole.items() <= kgrams[0].items()
    assert part.items() <= kgrams[1].items()
    assert sum(whole.items() <= row.items() for row in kgrams) == 1


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"context_siz": 2}, "did you mean context_size"),
        ({"context_size": 7}, "context_size lies outside its space"),
        ({"batch_size": True}, "batch_size lies outside its space"),
        ({"learning_rate": "fast"}, "learning_rate lies outside its space"),
    ],
)
def test_an_impossible_point_is_refused(point: dict[str, Any], message: str) -> None:
    """Before anything runs, with its place."""
    with pytest.raises(InputError, match=message) as caught:
        _check(search={"enqueue": {"kgram": [point]}})
    assert "search.enqueue.kgram[0]" in str(caught.value)


def test_a_point_for_an_unknown_architecture_is_refused() -> None:
    """With the nearest name."""
    with pytest.raises(InputError, match="did you mean kgram"):
        _check(search={"enqueue": {"kgrma": [{}]}})


def test_median_stopping(simulate: Simulate, tmp_path: Path) -> None:
    """A trial is stopped exactly where its best value is worse than the recorded median."""
    spec = spec_with(
        early_stopping={"scheduler": "median", "exempt_fraction": 0.2},
        search={"trials_per_architecture": 27, "sampler": "random"},
    )
    first = simulate(tmp_path, spec)
    first.run(events=70)
    first.kill()
    simulation = simulate(tmp_path, spec)
    assert simulation.run()
    rows = simulation.store.rows["decisions"]
    assert {r["action"] for found in rows.values() for r in found} == {"continue", "stop", "exempt"}
    for found in rows.values():
        for index, row in enumerate(found):
            best = min(r["value"] for r in found[: index + 1])
            worse = row["cutoff"] is not None and best > row["cutoff"]
            assert worse == (row["action"] != "continue")


def test_a_token_limit_holds_over_all_runs(simulate: Simulate, tmp_path: Path) -> None:
    """It ends the sweep, which goes on only once the limit is raised."""
    limited = spec_with(limits={"tokens": 20_000})
    first = simulate(tmp_path, limited)
    first.run()
    assert "20,000 tokens" in str(first.coordinator.ending)
    longest = 256 * 3**2
    assert 20_000 <= first.coordinator.new_tokens < 20_000 + 2 * longest
    first.kill()
    second = simulate(tmp_path, limited)
    assert second.coordinator.finished
    assert not second.steps_trained
    second.kill()
    third = simulate(tmp_path, SPEC)
    assert third.run()
    assert third.coordinator.ending is None
