"""The coordinator: every rule of a sweep, tried out without Ray."""

import collections
import random
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from picosweep.sweeps.search.early_stopping import Asha
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.workers.simulated import SimulatedTrial, simulated_metrics
from tests.sweeps.simulation import SPEC, Simulation, spec_with

Simulate = Callable[..., Simulation]


def _tables(folder: Path) -> dict[str, pl.DataFrame]:
    return {
        name: pl.read_parquet(folder / name / "*.parquet")
        for name in ("trials", "reports", "decisions")
    }


def _check_whole(folder: Path) -> dict[str, pl.DataFrame]:
    """What must be true of every finished sweep."""
    tables = _tables(folder)
    trials, reports, decisions = tables["trials"], tables["reports"], tables["decisions"]
    assert trials["trial_id"].is_unique().all()
    assert not reports.select("trial_id", "step").is_duplicated().any()
    assert not decisions.select("trial_id", "rung").is_duplicated().any()
    assert "running" not in trials["status"]
    assert set(reports["trial_id"]) == set(trials["trial_id"])
    on_rungs = reports.filter(pl.col("rung").is_not_null())
    assert (on_rungs["tokens"] == 256 * 3 ** on_rungs["rung"]).all()
    return tables


def test_a_sweep_runs_to_its_end(simulate: Simulate, tmp_path: Path) -> None:
    """Every architecture gets its trials, its winner's confirmations, and every trial a status."""
    simulation = simulate(tmp_path)
    assert simulation.run()
    simulation.store.seal()
    tables = _check_whole(simulation.store.folder)
    counts = tables["trials"].group_by("architecture", "cohort").len()
    searched = (
        counts.filter(pl.col("cohort") != "confirm")
        .group_by("architecture")
        .agg(pl.col("len").sum())
    )
    assert sorted(searched.rows()) == [("kgram", 9), ("lstm", 9)]
    confirmed = tables["trials"].filter(pl.col("cohort") == "confirm")
    assert sorted(confirmed.group_by("architecture").len().rows()) == [("kgram", 2), ("lstm", 2)]
    assert set(confirmed["status"]) == {"completed"}
    assert 0 not in confirmed["seed"].to_list()
    assert "stopped" in tables["trials"]["status"]


def test_exempt_trials_are_never_stopped(simulate: Simulate, tmp_path: Path) -> None:
    """The audit's control group runs to the end, and what would have happened is recorded."""
    simulation = simulate(tmp_path, spec_with(early_stopping={"exempt_fraction": 1.0}))
    assert simulation.run()
    simulation.store.seal()
    tables = _check_whole(simulation.store.folder)
    assert set(tables["trials"]["status"]) == {"completed"}
    assert set(tables["decisions"]["action"]) == {"continue", "exempt"}


def test_the_recorded_cutoff_explains_every_decision(simulate: Simulate, tmp_path: Path) -> None:
    """A trial is stopped exactly where its value is worse than the recorded cutoff."""
    simulation = simulate(tmp_path, spec_with(search={"trials_per_architecture": 27}))
    assert simulation.run()
    decisions = [row for rows in simulation.store.rows["decisions"].values() for row in rows]
    assert {row["action"] for row in decisions} == {"continue", "stop", "exempt"}
    for row in decisions:
        worse = row["cutoff"] is not None and row["value"] > row["cutoff"]
        assert worse == (row["action"] != "continue")


@pytest.mark.parametrize("seed", range(12))
def test_killed_again_and_again_it_loses_and_repeats_nothing(
    simulate: Simulate, tmp_path: Path, seed: int
) -> None:
    """Killing the driver at random moments changes neither the rows nor what is trained."""
    chance = random.Random(seed)
    trained: list[tuple[str, int]] = []
    lives, ended = 0, False
    while not ended:
        lives += 1
        simulation = simulate(tmp_path, diverging=0.1)
        assert sum(map(len, simulation.store.rows["reports"].values())) == len(trained)
        ended = simulation.run(seed=chance.randrange(1000), events=chance.randrange(1, 12))
        trained += simulation.steps_trained
        if chance.random() < 0.3:
            simulation.store.seal()
        if not ended:
            simulation.kill()
        if not ended and chance.random() < 0.5:
            segment = max((simulation.store.folder / "journal").iterdir())
            with segment.open("ab") as file:
                file.write(b'0badc0de [["reports", {"trial')
    assert lives > 4
    simulation.store.seal()
    _check_whole(simulation.store.folder)
    assert max(collections.Counter(trained).values()) == 1


def test_killed_between_checkpoint_and_journal(
    simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint ahead of the journal is not gone on from: its report would be left out."""
    first = simulate(tmp_path)
    first.die_between_checkpoint_and_journal(monkeypatch)
    second = simulate(tmp_path)
    assert second.run()
    second.store.seal()
    _check_whole(second.store.folder)
    for trial_id, reports in second.store.rows["reports"].items():
        steps = second.coordinator._trials[trial_id].candidate.plan.steps
        assert tuple(row["step"] for row in reports) == steps[: len(reports)]


def test_early_stopping_remembers_across_drivers(simulate: Simulate, tmp_path: Path) -> None:
    """Rungs rebuilt from the store hold what they held when the driver was killed."""
    first = simulate(tmp_path)
    first.run(events=40)
    first.kill()
    rungs = []
    for simulation in (first, simulate(tmp_path)):
        stoppers = [state.stopper for state in simulation.coordinator.architectures.values()]
        assert all(isinstance(stopper, Asha) for stopper in stoppers)
        rungs.append([stopper._rungs for stopper in stoppers])
    assert rungs[0] == rungs[1]
    assert sum(len(values) for of_one in rungs[0] for values in of_one.values()) > 10


def test_a_finished_sweep_has_nothing_to_do(simulate: Simulate, tmp_path: Path) -> None:
    """The same command again trains nothing and adds no row."""
    first = simulate(tmp_path)
    first.run()
    first.kill()
    again = simulate(tmp_path)
    assert again.coordinator.finished
    assert again.coordinator.next() is None
    assert not again.steps_trained


def test_more_trials_extend_a_sweep(simulate: Simulate, tmp_path: Path) -> None:
    """Asking for more trials trains only those that are new."""
    first = simulate(tmp_path, spec_with(confirm={"top": 0}))
    first.run()
    first.kill()
    second = simulate(
        tmp_path, spec_with(confirm={"top": 0}, search={"trials_per_architecture": 12})
    )
    second.run()
    new = {trial_id for trial_id, _ in second.steps_trained}
    assert not new & {trial_id for trial_id, _ in first.steps_trained}
    assert len(new) == 2 * 3


def test_a_longer_budget_continues_completed_trials(simulate: Simulate, tmp_path: Path) -> None:
    """With one more rung, survivors go on from their checkpoints and nothing is trained twice."""
    base = spec_with(confirm={"top": 0})
    first = simulate(tmp_path, base)
    first.run()
    first.kill()
    longer = spec_with(confirm={"top": 0}, budget={**SPEC["budget"], "rungs": 4})
    second = simulate(tmp_path, longer)
    second.run()
    second.store.seal()
    _check_whole(second.store.folder)
    assert second.steps_trained
    assert not set(second.steps_trained) & set(first.steps_trained)
    assert max(row["rung"] for row in second.store.trials.values()) == 3


def test_a_longer_budget_tells_who_does_not_go_on(simulate: Simulate, tmp_path: Path) -> None:
    """What was the last rung is one at which trials are stopped, and their rows say so."""
    none_stopped = spec_with(confirm={"top": 0}, early_stopping={"scheduler": "none"})
    first = simulate(tmp_path, none_stopped)
    assert first.run()
    first.kill()
    longer = spec_with(confirm={"top": 0}, early_stopping={}, budget={**SPEC["budget"], "rungs": 4})
    second = simulate(tmp_path, longer)
    assert second.run()
    old_last = SPEC["budget"]["rungs"] - 1
    rows = [row for row in second.store.trials.values() if row["rung"] == old_last]
    assert rows
    assert {row["status"] for row in rows} == {"stopped"}
    ends = {row["rung"] for row in second.store.trials.values() if row["status"] == "completed"}
    assert ends == {old_last + 1}


def test_another_sweep_answers_known_trials(simulate: Simulate, tmp_path: Path) -> None:
    """A sweep that overlaps with an earlier one copies its rows instead of training."""
    first = simulate(tmp_path)
    first.run()
    first.store.seal()
    first.kill()
    other = spec_with(name="other")
    elsewhere = find_elsewhere(tmp_path, "other")
    second = simulate(tmp_path, other, elsewhere=elsewhere)
    second.run()
    second.store.seal()
    tables = _check_whole(tmp_path / "other")
    cached = tables["trials"].filter(pl.col("status") == "cached")
    assert cached.height >= 8  # the samplers' random starts coincide
    assert set(cached["source_sweep"]) == {"simulated"}
    assert set(cached["num_attempts"]) == {0}
    assert not {trial_id for trial_id, _ in second.steps_trained} & set(cached["trial_id"])


def test_a_sweep_that_others_answer_wholly_needs_no_process(
    simulate: Simulate, tmp_path: Path
) -> None:
    """What is known is answered before anything is started; what is not is the next work."""
    search = {"trials_per_architecture": 3, "sampler": "random"}
    first = simulate(tmp_path, spec_with(search=search, confirm={"top": 0}))
    first.run()
    first.store.seal()
    first.kill()
    same = spec_with(name="same", search=search, confirm={"top": 0})
    second = simulate(tmp_path, same, elsewhere=find_elsewhere(tmp_path, "same"))
    second.coordinator.answer_known()
    assert second.coordinator.finished
    assert {row["status"] for row in second.store.trials.values()} == {"cached"}
    second.store.seal()
    second.kill()
    more = same | {"name": "more", "search": search | {"trials_per_architecture": 4}}
    third = simulate(tmp_path, more, elsewhere=find_elsewhere(tmp_path, "more"))
    third.coordinator.answer_known()
    third.coordinator.answer_known()  # asking twice admits nothing more
    statuses = [row["status"] for row in third.store.trials.values()]
    assert (statuses.count("cached"), len(statuses)) == (6, 7)
    assert third.run()
    third.store.seal()
    assert "cached" in _check_whole(tmp_path / "more")["trials"]["status"]


def test_a_diverged_trial_is_kept_and_named(simulate: Simulate, tmp_path: Path) -> None:
    """NaN ends a trial as `diverged`; the row with the NaN stays."""
    simulation = simulate(tmp_path, diverging=0.5)
    assert simulation.run()
    simulation.store.seal()
    tables = _check_whole(simulation.store.folder)
    diverged = tables["trials"].filter(pl.col("status") == "diverged")
    assert diverged.height > 0
    assert diverged["val_loss"].is_nan().all()
    assert diverged["best_val_loss"].is_finite().all()


def test_a_small_space_ends_early(simulate: Simulate, tmp_path: Path) -> None:
    """A space with fewer configurations than trials is searched whole, and that is the end."""
    small = spec_with(
        common={"batch_size": 4},
        architectures={"kgram": {"context_size": [1, 2, 3, 4], "embed_size": 8}},
        confirm={"top": 0},
    )
    simulation = simulate(tmp_path, small)
    assert simulation.run()
    assert len(simulation.store.trials) == 4
    assert simulation.coordinator.architectures["kgram"].exhausted


def test_a_constraint_keeps_configurations_out(simulate: Simulate, tmp_path: Path) -> None:
    """No trial breaks a constraint, and what was refused is counted."""
    simulation = simulate(tmp_path, spec_with(constraints=["embed_size * batch_size <= 64"]))
    assert simulation.run()
    rows = simulation.store.trials.values()
    assert all(row["embed_size"] * row["batch_size"] <= 64 for row in rows)
    assert simulation.coordinator.architectures["kgram"].study.num_rejected > 0


def test_a_lost_process_is_replaced_and_too_many_end_the_trial(
    simulate: Simulate, tmp_path: Path
) -> None:
    """A trial is taken up again from its checkpoint twice, then it has failed."""
    simulation = simulate(tmp_path, spec_with(limits={"max_failed_trials": 5, "attempts": 3}))
    for attempt in range(3):
        assignment = simulation.coordinator.next()
        assert assignment is not None
        trial_id = assignment.candidate.trial_id
        if attempt:
            assert assignment.checkpoint == b"9 0"
        else:
            trial = SimulatedTrial(assignment=assignment, step=9, seconds=0.0, pace=1.0)
            metrics = simulated_metrics(trial, simulation.loss)
            simulation.coordinator.on_report(trial_id, metrics, checkpoint=b"9 0")
        simulation.coordinator.on_lost(trial_id, "killed", retry=True)
    row = simulation.store.trials[trial_id]
    assert (row["status"], row["error"], row["num_attempts"]) == ("failed", "killed", 3)
    assert simulation.run()


def test_too_many_failures_end_the_sweep(simulate: Simulate, tmp_path: Path) -> None:
    """One failure more than the spec allows, and no more work is given out."""
    simulation = simulate(tmp_path)
    assignment = simulation.coordinator.next()
    assert assignment is not None
    simulation.coordinator.on_lost(assignment.candidate.trial_id, "no luck", retry=False)
    assert simulation.coordinator.too_many_failed
    assert simulation.coordinator.next() is None
    assert simulation.coordinator.finished


def test_a_clock_that_is_set_ends_nothing(
    simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits count elapsed time: a clock that jumps by a day, either way, is no day."""
    real = time.time
    simulation = simulate(tmp_path, spec_with(limits={"minutes": 60}))
    simulation.run(events=5)
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    simulation.run(events=5)
    monkeypatch.setattr(time, "time", lambda: real() - 86_400)
    assert simulation.run()
    assert simulation.coordinator.ending is None


def test_a_time_limit_leaves_a_resumable_sweep(simulate: Simulate, tmp_path: Path) -> None:
    """Past the limit running trials end at their next report, and stay to be resumed."""
    clock = [0.0]
    simulation = simulate(tmp_path, spec_with(limits={"minutes": 1}), elapsed=lambda: clock[0])
    simulation.run(events=5)
    clock[0] = 61.0
    stopped_at = len(simulation.steps_trained)
    assert simulation.run() or simulation.coordinator.ending
    assert len(simulation.steps_trained) <= stopped_at + 2
    assert "running" in {row["status"] for row in simulation.store.trials.values()}
    simulation.kill()
    again = simulate(tmp_path)
    assert again.run()
