"""References that are trained first: one for each architecture, in a sweep of their own."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from picosweep.commands.plan import plan
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.reader import read_rows
from tests.small_sweep import command, picosweep, write_sweep

PREFERENCE: dict[str, Any] = {
    "name": "pairs",
    "task": "preference",
    "sft": {
        "budget": {"unit": "steps", "min": 40, "factor": 2, "rungs": 1},
        "common": {"learning_rate": [0.01, 0.001]},
    },
    "preference": {"beta": [0.1, 0.5], "prompt_tokens": 4},
    "budget": {"unit": "steps", "min": 20, "factor": 2, "rungs": 2, "reports_per_rung": 1},
    "search": {"trials_per_architecture": 2, "sampler": "grid"},
    "samples": {"prompts": ["Ada "], "num_tokens": 8},
    "early_stopping": {"scheduler": "none"},
    "common": {"batch_size": 8, "learning_rate": 3e-3},
    "architectures": {
        "kgram": {"context_size": 2, "embed_size": 8, "hidden_size": 16},
        "transformer": {"embed_size": 16, "num_heads": 2, "num_layers": 1},
    },
}


def test_references_are_trained_first(tmp_path: Path) -> None:
    """Killed in the midst and run again, no reference is trained twice."""
    spec = write_sweep(tmp_path, **PREFERENCE)
    results = tmp_path / "results"
    first = subprocess.Popen(
        command("run", spec, "--results", results),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(lambda: len(_rows(results / "pairs", "reports")) >= 2, first)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    before = {row["trial_id"]: row for row in _rows(results / "pairs-sft", "trials")}
    assert len(before) == 4
    said = picosweep("run", spec, "--results", results, cwd=tmp_path)
    assert "69 pairs for training and 8 for validation" in said
    assert "the references are the best of pairs-sft: kgram " in said
    assert {row["trial_id"]: row for row in _rows(results / "pairs-sft", "trials")} == before
    trials = _rows(results / "pairs", "trials")
    assert [row["status"] for row in trials] == ["completed"] * 4
    starts = {row["architecture"]: json.loads(row["config"])["init_from"] for row in trials}
    assert len(set(starts.values())) == 2
    references = json.loads((results / "pairs/spec.json").read_text())["init_from"]
    for name, kept in references.items():
        losses = [row["val_loss"] for row in before.values() if row["architecture"] == name]
        assert find_trial(kept, results)[1]["val_loss"] == min(losses)
    texts = _rows(results / "pairs", "samples")
    of_step_0 = {(row["prompt"], row["decoder"], row["text"]) for row in texts if row["step"] == 0}
    of_references = {
        (row["prompt"], row["decoder"], row["text"])
        for row in _rows(results / "pairs-sft", "samples")
        if row["trial_id"] in references.values()
    }
    assert of_step_0 == of_references
    assert {row["trial_id"] for row in texts if row["step"] == 0} == {
        row["trial_id"] for row in trials
    }


def _rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return read_rows(folder, table) if folder.exists() else []


def _wait(condition: Any, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_the_plan_tells_both_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the references cost, and the preference training that goes on from them."""
    monkeypatch.chdir(tmp_path)
    found = plan(write_sweep(tmp_path, **PREFERENCE), results=tmp_path / "results")
    assert found.sft is not None
    assert [part.num_trials for part in found.sft.architectures] == [2, 2]
    assert [part.num_trials for part in found.architectures] == [2, 2]
    assert found.sft.rungs == (40,)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"init_from": "3f2a"}, "init_from: sft trains what trials start from"),
        ({"task": "language_modeling", "preference": {}}, "sft: references are trained for pref"),
        ({"sft": {"common": {}}}, "sft.budget"),
        (
            {"sft": PREFERENCE["sft"] | {"common": {"embed_size": 4}}},
            "sft.common.embed_size: what the model is stands in architectures or common",
        ),
        (
            {"sft": PREFERENCE["sft"] | {"architectures": {"lstm": {}}}},
            "sft.architectures.lstm: no such architecture",
        ),
        (
            {"architectures": {"kgram": {"hidden_size": [8, 16]}}},
            "architectures.kgram.hidden_size: sft trains one reference for each architecture",
        ),
        (
            {"sft": PREFERENCE["sft"] | {"common": {"learning_rat": 1}}},
            "did you mean learning_rate",
        ),
        ({"sft": PREFERENCE["sft"] | {"serach": {}}}, "did you mean search?"),
        ({"sft": None, "init_from": {"kgram": "3f2a"}}, "every architecture needs a reference"),
        ({"sft": None, "init_from": {"lstm": "3f2a"}}, "init_from.lstm: no such architecture"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    """With its key and the reason, before anything is trained."""
    data = {"source": "text.txt", "tokenizer": {"kind": "char"}, "block_size": 16}
    with pytest.raises(InputError) as error:
        check_sweep({**PREFERENCE, "data": data, **changes})
    assert told in str(error.value)


def test_an_empty_part_of_the_section_means_its_defaults() -> None:
    """As everywhere in a spec."""
    data = {"source": "text.txt", "tokenizer": {"kind": "char"}, "block_size": 16}
    sft = {"budget": PREFERENCE["sft"]["budget"], "common": None, "search": None}
    checked = check_sweep({**PREFERENCE, "data": data, "sft": sft})
    assert checked.sft is not None
    assert checked.sft.spec.common == {}
