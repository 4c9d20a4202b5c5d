"""Sweeps that go on from another trial's weights: planned and replayed like any other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from picosweep.commands.plan import plan
from picosweep.commands.replay import replay
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.find import find_trial
from tests.in_process import TEXT, train_sweep


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a trained model and a LoRA sweep that goes on from it."""
    folder = tmp_path_factory.mktemp("init_from")
    (folder / "text.txt").write_text(TEXT)
    (base,) = train_sweep(_spec(folder, name="base"), folder / "results")
    lora = _spec(folder, name="lora", init_from=base, common=_common(lora_rank=[1, 2]))
    (folder / "lora.yaml").write_text(yaml.safe_dump(lora))
    train_sweep(lora, folder / "results")
    return folder / "results"


def _common(**changes: Any) -> dict[str, Any]:
    return {"batch_size": 8, "learning_rate": 1e-2, **changes}


def _spec(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "data": {
            "source": str(folder / "text.txt"),
            "tokenizer": {"kind": "char"},
            "block_size": 8,
        },
        "budget": {"unit": "tokens", "min": 512, "factor": 2, "rungs": 2},
        "evaluation": {"tokens": 256},
        "early_stopping": {"scheduler": "none"},
        "search": {"trials_per_architecture": 2, "sampler": "random"},
        "common": _common(),
        "architectures": {"lstm": {"embed_size": 8, "hidden_size": 8}},
        **changes,
    }


def _ids(results: Path, sweep: str) -> list[str]:
    return sorted(path.name for path in (results / sweep / "checkpoints").iterdir())


def test_the_plan_finds_feasible_what_the_sweep_trains(results: Path) -> None:
    """A rank of a low-rank change goes with weights to start from, which the plan knows too."""
    found = plan(results.parent / "lora.yaml", results=results)
    (lstm,) = found.architectures
    assert (lstm.feasibility.num_checked, lstm.feasibility.num_feasible) == (2, 2)
    assert lstm.tokens_per_second > 0


def test_a_trial_that_goes_on_from_another_is_replayed(results: Path) -> None:
    """It starts from the same weights again, and every number is the same."""
    ids = _ids(results, "lora")
    assert len(ids) == 2
    for trial_id in ids:
        found = replay(trial_id, results=results)
        assert found.same
        assert found.num_reports == 4


def test_weights_that_are_gone_are_said_to_be(results: Path) -> None:
    """Where the trial to start from has no checkpoint any more, that is the message."""
    (base,) = _ids(results, "base")
    (checkpoint,) = (results / "base" / "checkpoints" / base).iterdir()
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    try:
        with pytest.raises(InputError, match="no checkpoint to start from"):
            replay(_ids(results, "lora")[0], results=results)
    finally:
        checkpoint.write_bytes(content)


def test_a_trial_of_an_accelerator_is_not_replayed_on_the_processor(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other hardware gives other last bits: that is no difference of the trial's."""
    (base,) = _ids(results, "base")

    def found(*arguments: Any) -> tuple[Path, dict[str, Any]]:
        folder, row = find_trial(*arguments)
        return folder, row | {"device": "cuda"}

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("picosweep.commands.replay.find_trial", found)
    with pytest.raises(InputError, match="trained on cuda"):
        replay(base, results=results)
