"""Sweeps whose budget is in seconds of training: machines differ, marks do not."""

import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.candidates import Rejection
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.spec.schema import Budget
from picosweep.sweeps.store.reader import find_elsewhere
from tests.sweeps.simulation import Simulation, spec_with

Simulate = Callable[..., Simulation]
BUDGET = {"unit": "seconds", "min": 5, "factor": 3, "rungs": 3, "reports_per_rung": 2}
MIN, FACTOR = 5, 3


def _spec(**changes: Any) -> dict[str, Any]:
    return spec_with(**({"budget": BUDGET} | changes))


def _check_whole(simulation: Simulation, rungs: int = 3) -> pl.DataFrame:
    """What must be true of every finished sweep; returns its reports."""
    simulation.store.seal()
    folder = simulation.store.folder
    trials, reports, decisions = (
        pl.read_parquet(folder / name / "*.parquet") for name in ("trials", "reports", "decisions")
    )
    assert "running" not in trials["status"]
    assert set(reports["trial_id"]) == set(trials["trial_id"])
    assert not decisions.select("trial_id", "rung").is_duplicated().any()
    assert (decisions["milestone"] == MIN * FACTOR ** decisions["rung"]).all()
    on_rungs = reports.filter(pl.col("rung").is_not_null())
    assert not on_rungs.select("trial_id", "rung").is_duplicated().any()
    assert (on_rungs["training_seconds"] >= MIN * FACTOR ** on_rungs["rung"]).all()
    for _, own in reports.group_by("trial_id"):
        for column in ("step", "training_seconds"):
            assert own[column].is_sorted()
            assert own[column].is_unique().all()
    completed = trials.filter(status="completed")
    assert completed.height or "cached" in trials["status"]
    assert set(completed["rung"]) <= {rungs - 1}
    assert (completed["training_seconds"] >= MIN * FACTOR ** (rungs - 1)).all()
    return reports


def _paces(seed: int) -> Callable[[], float]:
    """Each process has another: from several steps in each second to several seconds a step."""
    chance = random.Random(seed)
    return lambda: 10 ** chance.uniform(-0.9, 1.5)


def test_all_train_for_the_same_time(simulate: Simulate, tmp_path: Path) -> None:
    """Whatever a step takes, every trial ends at the same second, at its own step."""
    simulation = simulate(tmp_path, _spec(), pace=_paces(0))
    assert simulation.run()
    _check_whole(simulation)
    rows = simulation.store.trials.values()
    steps = [row["step"] for row in rows if row["status"] == "completed"]
    assert max(steps) > 10 * min(steps)


@pytest.mark.parametrize("seed", range(12))
def test_killed_again_and_again_with_checkpoints_lost(
    simulate: Simulate, tmp_path: Path, seed: int
) -> None:
    """The driver dies, checkpoints vanish, machines change: no report is lost, doubled or other."""
    chance, paces = random.Random(seed), _paces(seed)
    seen: dict[tuple[str, int], str] = {}
    lives, ended = 0, False
    while not ended:
        lives += 1
        simulation = simulate(tmp_path, _spec(), diverging=0.1, pace=paces)
        stored = simulation.store.rows["reports"]
        for (trial_id, _), row in seen.items():
            assert row in map(repr, stored[trial_id])  # NaN is not NaN
        ended = simulation.run(seed=chance.randrange(1000), events=chance.randrange(1, 12))
        for trial_id, rows in simulation.store.rows["reports"].items():
            seen |= {(trial_id, row["step"]): repr(row) for row in rows}
        if not ended:
            simulation.kill()
            checkpoints = sorted((simulation.store.folder / "checkpoints").glob("*"))
            if checkpoints and chance.random() < 0.4:
                shutil.rmtree(chance.choice(checkpoints))
    assert lives > 4
    reports = _check_whole(simulation)
    assert reports.height == len(seen)


def test_with_its_checkpoints_no_trial_takes_a_step_twice(
    simulate: Simulate, tmp_path: Path
) -> None:
    """A killed driver costs nothing but the work since each trial's last report."""
    first = simulate(tmp_path, _spec())
    first.run(events=40)
    first.kill()
    second = simulate(tmp_path, _spec())
    assert second.run()
    _check_whole(second)
    assert max(Counter(first.steps_trained + second.steps_trained).values()) == 1


def test_killed_between_checkpoint_and_journal(
    simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of a report that nobody knows is gone once the trial has passed by it."""
    first = simulate(tmp_path, _spec(), pace=lambda: 10.0)
    first.die_between_checkpoint_and_journal(monkeypatch)
    second = simulate(tmp_path, _spec(), pace=lambda: 0.9)
    assert second.run()
    _check_whole(second)
    second.store.close()
    for trial_id, reports in second.store.rows["reports"].items():
        (checkpoint,) = (second.store.folder / "checkpoints" / trial_id).iterdir()
        assert checkpoint.name.startswith(f"{reports[-1]['step']}-")


def test_one_more_rung_continues_completed_trials(simulate: Simulate, tmp_path: Path) -> None:
    """They go on with their clocks, and early stopping judges what was the last rung."""
    first = simulate(tmp_path, _spec(confirm={"top": 0}), pace=lambda: 2.0)
    first.run()
    first.kill()
    longer = _spec(confirm={"top": 0}, budget=BUDGET | {"rungs": 4})
    second = simulate(tmp_path, longer, pace=lambda: 3.0)
    assert second.run()
    _check_whole(second, rungs=4)
    assert second.steps_trained
    assert not set(second.steps_trained) & set(first.steps_trained)
    assert {row["rung"] for rows in second.store.rows["decisions"].values() for row in rows} == {
        0, 1, 2,
    }  # fmt: skip


def test_another_sweep_answers_known_trials(simulate: Simulate, tmp_path: Path) -> None:
    """Also one whose machine would have taken other steps: a trial is found, not trained again."""
    first = simulate(tmp_path, _spec(), pace=lambda: 3.0)
    first.run()
    first.store.seal()
    first.kill()
    elsewhere = find_elsewhere(tmp_path, "other")
    second = simulate(tmp_path, _spec(name="other"), elsewhere=elsewhere, pace=lambda: 0.5)
    assert second.run()
    _check_whole(second)
    cached = [row for row in second.store.trials.values() if row["status"] == "cached"]
    assert len(cached) >= 8
    for row in cached:
        known = [r["training_seconds"] for r in first.store.reports_of(row["trial_id"])]
        taken = [r["training_seconds"] for r in second.store.reports_of(row["trial_id"])]
        assert taken == known[: len(taken)]
    assert not {trial_id for trial_id, _ in second.steps_trained} & {r["trial_id"] for r in cached}


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_a_rung_left_out_is_not_judged(simulate: Simulate, tmp_path: Path, scheduler: str) -> None:
    """A trial whose step takes it over two rungs at once is judged at the higher one alone."""
    paces = itertools.cycle([0.05, 2.0, 2.0])  # every third process needs 20 s for a step
    search = {"trials_per_architecture": 18, "sampler": "random"}
    spec = _spec(early_stopping={"scheduler": scheduler}, search=search, confirm={"top": 0})
    first = simulate(tmp_path, spec, pace=lambda: next(paces))
    assert first.run(slots=1)
    _check_whole(first)
    judged: Counter[tuple[int, ...]] = Counter()
    for trial_id in first.store.trials:
        decisions = first.store.decisions_of(trial_id)
        judged[tuple(row["rung"] for row in decisions)] += 1
        for index, row in enumerate(decisions):
            known = [r["value"] for r in decisions[: index + 1]]
            value = min(known) if scheduler == "median" else row["value"]
            worse = row["cutoff"] is not None and value > row["cutoff"]
            assert worse == (row["action"] != "continue")
    assert judged[(1,)] == 12
    assert judged[(0, 1)] > 0
    first.kill()
    assert simulate(tmp_path, spec).coordinator.finished


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"budget": {"unit": "tokens", "min": 0.5}},
            ["budget.min", "only seconds", "0.5", "a whole number of tokens"],
        ),
        ({"budget": {"unit": "seconds", "min": 0.0}}, ["budget.min", "above 0"]),
        ({"budget": {"unit": "seconds", "min": True}}, ["budget.min: wrong type"]),
        ({"budget": {"unit": "second", "min": 1}}, ["budget.unit", "did you mean seconds?"]),
        (
            {"limits": {"minutes_without_report": 0.1}},
            ["limits.minutes_without_report", "ended for its silence", "above 0.31"],
        ),
    ],
)
def test_impossible_budgets_are_refused(changes: dict[str, Any], parts: list[str]) -> None:
    """With the key, what was found and what is allowed."""
    with pytest.raises(InputError) as refused:
        parse_spec(_spec(**changes))
    for part in parts:
        assert part in str(refused.value)


def test_equal_budgets_are_one() -> None:
    """However a number is written, it is the same in a trial's identity."""
    whole = [Budget.model_validate({"unit": "seconds", "min": value}) for value in (5, 5.0)]
    assert [repr(budget.min) for budget in whole] == ["5", "5"]
    large = 10**17 + 1
    assert Budget.model_validate({"unit": "flops", "min": large}).min == large
    assert whole[0].model_dump(mode="json")["min"] == 5
    assert Budget.model_json_schema()["properties"]["min"]["type"] == "number"


def test_a_schedule_that_looks_at_the_end_is_refused(simulate: Simulate, tmp_path: Path) -> None:
    """Where every trial would have it, with the place; nothing is written."""
    for schedule in ("cosine", ["linear", "wsd"]):
        for section in ("common", "architectures"):
            spec = _spec()
            (spec["common"] if section == "common" else spec["architectures"]["kgram"])[
                "schedule"
            ] = schedule
            with pytest.raises(InputError) as refused:
                simulate(tmp_path, spec)
            message = str(refused.value)
            place = "common.schedule" if section == "common" else "architectures.kgram.schedule"
            for part in (place, "has no last step", "constant", "tokens, steps or flops"):
                assert part in message
    assert not list(tmp_path.iterdir())


def test_a_search_over_schedules_takes_those_that_can_be(
    simulate: Simulate, tmp_path: Path
) -> None:
    """The others are rejected with the reason, before a trial exists."""
    spec = _spec()
    spec["common"]["schedule"] = ["constant", "cosine"]
    simulation = simulate(tmp_path, spec)
    assert simulation.run()
    assert {row["schedule"] for row in simulation.store.trials.values()} == {"constant"}
    study = simulation.coordinator.architectures["kgram"].study
    assert study.num_rejected > 0
    chosen = {"schedule": "cosine", "context_size": 1, "embed_size": 8}
    refused = simulation.coordinator._factory.build("kgram", chosen, seed=0)
    assert isinstance(refused, Rejection)
    assert (
        refused.reason == "a budget in seconds has no last step, at which the schedule cosine looks"
    )
