"""Texts that are asked for after the training are written all the same, or said to be missing."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.probes.samples import write_samples
from picosweep.pico.weights.restore import restore_model
from picosweep.sweeps.asking.plan import ask_plan
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.reader import find_elsewhere
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import Row
from picosweep.sweeps.workers.late_answers import answer_late
from tests.in_process import TEXT, train_sweep


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT)
    train_sweep(spec(folder), folder / "results")
    return folder


def spec(folder: Path, name: str = "first", **samples: Any) -> dict[str, Any]:
    return {
        "name": name,
        "data": {
            "source": str(folder / "text.txt"),
            "tokenizer": {"kind": "char"},
            "block_size": 16,
        },
        "budget": {"unit": "steps", "min": 4, "factor": 2, "rungs": 2, "reports_per_rung": 1},
        "evaluation": {"tokens": 256},
        "early_stopping": {"scheduler": "none"},
        "common": {"batch_size": 4},
        "architectures": {"kgram": {"hidden_size": 16}},
        "samples": samples,
    }


def write(folder: Path, written: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Open a sweep that is trained, write what its spec asks for; its texts and the remarks."""
    checked = check_sweep(written)
    results = folder / "results"
    data = prepare_all(checked, results)
    sweep = checked.with_data(data.metas)
    name = checked.spec.name
    with closing(Store(results / name, checked.column_types())) as store:
        coordinator = Coordinator(
            spec=sweep.spec,
            spaces=sweep.spaces,
            factory=sweep.factory,
            store=store,
            elsewhere=find_elsewhere(results, name),
        )
        assert coordinator.next() is None  # all is trained, here or elsewhere
        remarks = answer_late(
            ask_plan(sweep.spec), coordinator.trials, store, data.by_fingerprint, lambda _: None
        )
        (trial,) = coordinator.trials
        return list(store.asked_of(trial.trial_id, "samples")), remarks


def test_texts_asked_for_later_are_what_the_checkpoint_writes(trained: Path) -> None:
    rows, remarks = write(trained, spec(trained, prompts=["line 7"], num_tokens=5))
    found = read_checkpoint(trained / "results" / "first", rows[0]["trial_id"])
    assert found is not None
    tokenizer = prepare_all(check_sweep(spec(trained)), trained / "results").own.tokenizer
    expected = write_samples(
        restore_model(found.content).model, tokenizer, ["line 7"], num_tokens=5
    )
    assert [(row["decoder"], row["text"]) for row in rows] == [
        (sample.decoder, sample.text) for sample in expected
    ]
    assert {(row["rung"], row["step"]) for row in rows} == {(1, 8)}
    assert remarks == []


def test_nothing_is_written_twice_and_other_prompts_are_added(trained: Path) -> None:
    one = spec(trained, prompts=["line 7"], num_tokens=5)
    assert write(trained, one) == write(trained, one)
    rows, _ = write(trained, spec(trained, prompts=["line 7", "says"], num_tokens=5))
    assert {row["prompt"] for row in rows} >= {"line 7", "says"}
    assert len({(row["decoder"], row["prompt"]) for row in rows}) == len(rows)


def test_texts_of_a_rung_whose_weights_are_gone_are_said_to_be_missing(trained: Path) -> None:
    rows, remarks = write(trained, spec(trained, prompts=["and"], num_tokens=5, rungs="all"))
    assert {row["rung"] for row in rows if row["prompt"] == "and"} == {1}
    assert remarks == [
        "1 trial has no answers at some rung: they were asked for after the weights had moved on"
    ]


def test_another_sweep_answers_with_texts_for_this_ones_prompts_alone(trained: Path) -> None:
    write(trained, spec(trained, prompts=["line 7"], num_tokens=5))
    rows, _ = write(trained, spec(trained, "second", prompts=["and"], num_tokens=5))
    assert {row["prompt"] for row in rows} == {"and"}
    silent, remarks = write(trained, spec(trained, "third"))
    assert (silent, remarks) == ([], [])
