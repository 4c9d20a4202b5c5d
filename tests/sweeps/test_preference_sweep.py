"""Preference training as a task of a sweep: from the spec to the rows, and what is refused."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from picosweep.analysis.preference.preferences import preference_table
from picosweep.analysis.results import load
from picosweep.commands.replay import replay
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.reader import read_rows
from tests.in_process import TEXT, train_sweep

KNOWN = {"dpo": math.log(2), "cdpo": math.log(2), "dpo_length_normalised": math.log(2), "ipo": 25.0}
"""Losses of an untouched policy with beta 0.1."""


def spec(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "text.txt").write_text(TEXT)
    return {
        "name": "sft",
        "data": {
            "source": str(folder / "text.txt"),
            "tokenizer": {"kind": "char"},
            "block_size": 16,
        },
        "budget": {"unit": "steps", "min": 10, "factor": 2, "rungs": 1, "reports_per_rung": 1},
        "evaluation": {"tokens": 2048},
        "search": {"trials_per_architecture": 1, "sampler": "grid"},
        "early_stopping": {"scheduler": "none"},
        "common": {"batch_size": 8},
        "architectures": {"kgram": {"hidden_size": 16}},
        **changes,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a trained trial, and the trial's id."""
    folder = tmp_path_factory.mktemp("preference")
    trials = train_sweep(spec(folder), folder / "results")
    return folder, next(iter(trials))


def preference(trained: tuple[Path, str], **changes: Any) -> dict[str, Any]:
    """A preference sweep that starts from it."""
    folder, first = trained
    return spec(
        folder,
        **{
            "name": "preference",
            "task": "preference",
            "init_from": first,
            "preference": {"loss": list(KNOWN), "prompt_tokens": 6, "label_flip": {
                "choices": [0.1], "when": "preference_loss == 'cdpo'"}},
            "search": {"trials_per_architecture": 4, "sampler": "grid"},
            "common": {"batch_size": 8, "learning_rate": 1e-9},
            **changes,
        },
    )  # fmt: skip


def test_each_loss_of_a_spec_is_the_one_that_trains(trained: tuple[Path, str]) -> None:
    """With a learning rate of next to nothing it stays where its paper says it begins."""
    trials = train_sweep(preference(trained), trained[0] / "results")
    assert {row["preference_loss"] for row in trials.values()} == set(KNOWN)
    for row in trials.values():
        assert row["val_loss"] == pytest.approx(KNOWN[row["preference_loss"]], rel=1e-3)
        assert row["train_loss"] == pytest.approx(KNOWN[row["preference_loss"]], rel=1e-3)
        assert row["reference_kl"] == pytest.approx(0, abs=1e-6)
        assert row["beta"] == 0.1
    (report, *_) = read_rows(trained[0] / "results" / "preference", "reports")
    assert report["tokens"] == 10 * 8 * 16  # both members, prompts included
    assert report["preference_accuracy"] is not None


def test_a_trial_learns_its_pairs_and_comes_again(trained: tuple[Path, str]) -> None:
    """It is replayed to the same bits, and the report has its chapter."""
    written = preference(
        trained,
        name="learns",
        preference={"loss": "dpo", "beta": [0.1, 0.5], "prompt_tokens": 6},
        search={"trials_per_architecture": 2, "sampler": "grid"},
        common={"batch_size": 8, "learning_rate": 1e-2},
        budget={"unit": "steps", "min": 60, "factor": 2, "rungs": 1, "reports_per_rung": 1},
    )
    trials = train_sweep(written, trained[0] / "results")
    assert {row["status"] for row in trials.values()} == {"completed"}
    for row in trials.values():
        assert row["preference_accuracy"] > 0.9
        assert row["chosen_change"] > row["rejected_change"]
        assert row["flops_per_token"] == pytest.approx(
            4 / 3 * read_rows(trained[0] / "results" / "sft", "trials")[0]["flops_per_token"]
        )
    assert replay(next(iter(trials)), results=trained[0] / "results").same
    table = preference_table(load(trained[0] / "results" / "learns").full_budget)
    assert table.height == 2
    assert table["front"][0]


def test_pairs_of_ones_own_are_learnt(trained: tuple[Path, str]) -> None:
    """To accuracy 1, and flipped ones to 0 by the same measure; other pairs are other trials."""
    rows = [
        {"prompt": f"line {number}", "chosen": " says 1", "rejected": " says 2"}
        for number in range(200)
    ]
    path = trained[0] / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    written = preference(
        trained,
        name="own",
        preference={"loss": "dpo", "pairs": str(path)},
        search={"trials_per_architecture": 1, "sampler": "grid"},
        common={"batch_size": 8, "learning_rate": 1e-2},
        budget={"unit": "steps", "min": 60, "factor": 2, "rungs": 1, "reports_per_rung": 1},
    )
    results = trained[0] / "results"
    ((first, row),) = train_sweep(written, results).items()
    assert row["preference_accuracy"] == 1.0
    assert row["chosen_change"] > row["rejected_change"] + 5
    assert replay(first, results=results).same
    swapped = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    path.write_text("\n".join(map(json.dumps, swapped)))
    ((second, flipped),) = train_sweep(written | {"name": "flipped"}, results).items()
    assert first != second
    assert flipped["preference_accuracy"] == 1.0
    assert flipped["chosen_change"] > flipped["rejected_change"] + 5
    with pytest.raises(InputError, match="no longer what this trial was trained on"):
        replay(first, results=results)
    path.write_text('{"prompt": "line 1"}')
    with pytest.raises(InputError, match=r"preference\.pairs: a row that is no pair"):
        train_sweep(written | {"name": "bad"}, results)
    said = refused(preference(trained, preference={"pairs": str(path), "corruption": "shuffled"}))
    assert "pairs of your own are not made by a corruption" in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"architectures": {"lstm": {}}}, "its weights are of the architecture kgram"),
        (
            {"architectures": {"kgram": {"hidden_size": 32}}},
            "hidden_size: the reference has 16",
        ),
        (
            {"architectures": {"kgram": {"hidden_size": 16, "context_size": [3, 9]}}},
            "context_size: a choice that is never possible: context_size: the reference has 3",
        ),
        ({"data": {"tokenizer": {"kind": "bpe", "vocab_size": 300}}}, "with another tokenizer"),
        ({"init_from": {"kgram": "0000"}}, "no such trial"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(
    trained: tuple[Path, str], changes: dict[str, Any], told: str
) -> None:
    """Before anything is trained, with the reason."""
    written = preference(trained, name="unfit", **changes)
    written["data"] = spec(trained[0])["data"] | changes.get("data", {})
    with pytest.raises(InputError, match=told):
        train_sweep(written, trained[0] / "results")
    assert not (trained[0] / "results" / "unfit").exists()


def test_weights_of_other_shapes_are_refused(trained: tuple[Path, str]) -> None:
    """In language modelling, too; what changes no shape may differ there."""
    folder, first = trained
    written = spec(folder, name="on", init_from=first)
    with pytest.raises(InputError, match=r"do not fit: hidden_size 32 here, 16 there"):
        train_sweep(written | {"architectures": {"kgram": {"hidden_size": 32}}}, folder / "results")
    (row,) = train_sweep(written, folder / "results").values()
    assert row["status"] == "completed"


class WithBeta(nn.Module):
    """A model whose argument the task has a setting for."""

    def __init__(self, vocab_size: int, block_size: int, beta: float = 1.0) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits `[B, T, V]`."""
        found: Tensor = self.table(ids)
        return found


def refused(written: Mapping[str, Any]) -> str:
    """The message that a spec is refused with."""
    with pytest.raises(InputError) as error:
        check_sweep(written)
    return str(error.value)


def test_what_makes_no_sense_is_refused(trained: tuple[Path, str]) -> None:
    """With the reason, before anything is read."""
    said = refused(preference(trained, init_from=None))
    assert "init_from: preference training starts from a trained trial" in said
    said = refused(preference(trained, objectives=[{"metric": "val_loss"}]))
    assert "picks beta and the kind of loss, not models" in said
    said = refused(spec(trained[0], preference={"beta": 0.1}))
    assert "preference: settings of another task" in said
    said = refused(spec(trained[0], objectives=[{"metric": "reference_kl"}]))
    assert "a metric of another task" in said
    said = refused(preference(trained, preference={"betta": 0.1}))
    assert "did you mean beta" in said
    taken = {"mine": {"model": "tests.sweeps.test_preference_sweep:WithBeta"}}
    assert "called like a setting" in refused(preference(trained, architectures=taken))
    said = refused(preference(trained, preference={"loss": "dppo"}))
    assert "preference.loss" in said
