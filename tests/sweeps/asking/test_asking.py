"""What a spec asks of its models stands in the tables, or is refused before anything is trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.evaluation import code_suite
from picosweep.pico.evaluation.scores import VERSIONS
from picosweep.sweeps.asking.check import check_asked
from picosweep.sweeps.asking.plan import AskPlan, UserTexts
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.reader import read_rows
from tests.in_process import TEXT, train_sweep


def spec(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "text.txt").write_text(TEXT)
    return {
        "name": "asked",
        "data": {
            "source": str(folder / "text.txt"),
            "tokenizer": {"kind": "bpe", "vocab_size": 300},
            "block_size": 16,
        },
        "budget": {"unit": "steps", "min": 4, "factor": 2, "rungs": 2, "reports_per_rung": 1},
        "evaluation": {"tokens": 256},
        "search": {"trials_per_architecture": 1},
        "early_stopping": {"scheduler": "none"},
        "common": {"batch_size": 4},
        "architectures": {
            "kgram": {"hidden_size": 16},
            "transformer": {"num_layers": 1, "num_heads": 2, "embed_size": 16},
        },
        **changes,
    }


def test_answers_stand_in_the_tables_with_their_rung_and_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suites at every rung, probes at the last; what a model lacks is a row with the reason."""
    content = code_suite._content()
    by_section: dict[str, list[dict[str, Any]]] = {}
    for item in content["completions"]:
        by_section.setdefault(item["section"], []).append(item)
    few = {
        "completions": [item for items in by_section.values() for item in items[:2]],
        "problems": content["problems"][:3],
    }
    monkeypatch.setattr(code_suite, "_content", lambda: few)
    (tmp_path / "mine.txt").write_text("line 3 says 21 and 3.")
    labelled = [
        {"label": label, "text": f"{word} {number} {word}"}
        for label, word in (("line", "line"), ("says", "says"))
        for number in range(10)
    ]
    (tmp_path / "groups.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    trials = train_sweep(
        spec(
            tmp_path,
            evaluate={
                "suite": ["text", "code"], "rungs": "all", "texts": [str(tmp_path / "mine.txt")],
            },
            probes={
                "kinds": ["heads", "attention", "embedding", "neurons"],
                "prompt": "line 7",
                "groups": str(tmp_path / "groups.jsonl"),
            },
            objectives=[{"metric": "suite_score"}, {"metric": "code_pass"}],
        ),
        tmp_path / "results",
    )  # fmt: skip
    folder = tmp_path / "results" / "asked"
    rows = {
        name: read_rows(folder, name)
        for name in (
            "reports", "evaluations", "probes_heads", "probes_attention", "probes_components",
            "probes_tokens", "probes_neurons",
        )
    }  # fmt: skip
    assert len(trials) == 2
    suites = [row for row in rows["evaluations"] if row["suite"] != "probes"]
    assert {(row["suite"], row["rung"]) for row in suites} == {
        (suite, rung) for suite in ("text", "code") for rung in (0, 1)
    }
    for report in rows["reports"]:
        own = [
            r for r in suites
            if (r["trial_id"], r["step"]) == (report["trial_id"], report["step"])
        ]  # fmt: skip
        (bits,) = [
            r["score"] for r in own if (r["section"], r["item"]) == ("bits per byte", "validation")
        ]
        assert bits == pytest.approx(report["bits_per_byte"], rel=1e-4)
        assert report["suite_score"] == pytest.approx(2**-bits)
        assert report["code_pass"] is not None
        assert "mine.txt" in {r["item"] for r in own if r["section"] == "perplexity"}
    assert all(row["code_pass"] is not None for row in trials.values())
    transformers = {i for i, row in trials.items() if row["architecture"] == "transformer"}
    assert {row["trial_id"] for row in rows["probes_heads"]} == transformers
    assert len(rows["probes_heads"]) == 3  # two heads, and one that looks at all alike
    weights = [json.loads(row["weights"]) for row in rows["probes_attention"]]
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for rows_ in weights for row in rows_)
    refused = [row for row in rows["evaluations"] if row["suite"] == "probes"]
    assert {(row["section"], row["outcome"]) for row in refused} == {
        ("heads", "not applicable"), ("attention", "not applicable"),
    }  # fmt: skip
    assert {row["score"] for row in refused} == {None}
    for name in ("probes_components", "probes_tokens", "probes_neurons"):
        assert {row["trial_id"] for row in rows[name]} == set(trials)
        assert {row["rung"] for row in rows[name]} == {1}
    assert {row["text_group"] for row in rows["probes_neurons"]} <= {"line", "says"}


def refused(folder: Path, **changes: Any) -> str:
    """The message that a spec is refused with."""
    with pytest.raises(InputError) as error:
        ask_of(folder, **changes)
    return str(error.value)


def ask_of(folder: Path, **changes: Any) -> None:
    """What a run and a plan do before anything is trained."""
    checked = check_sweep(spec(folder, **changes))
    data = prepare_all(checked, folder / "results")
    check_asked(checked.spec, checked.document, data.by_fingerprint.values())


def test_what_cannot_be_asked_is_refused_before_training(tmp_path: Path) -> None:
    """One message each: what, where, what was found."""
    char = {
        "data": spec(tmp_path)["data"] | {"tokenizer": {"kind": "char"}},
        "evaluate": {"suite": "code"},
    }
    assert "the code suite does not fit this data" in refused(tmp_path, **char)
    assert "evaluate.rungs: there is no such rung" in refused(
        tmp_path, evaluate={"suite": "text", "rungs": [2]}
    )
    assert "which no suite of it measures" in refused(
        tmp_path, objectives=[{"metric": "code_pass"}], evaluate={"suite": "text"}
    )
    assert "looks at it at every rung" in refused(
        tmp_path, objectives=[{"metric": "suite_score"}], evaluate={"suite": "text"}
    )
    assert "attention is looked at over a prompt" in refused(
        tmp_path, probes={"kinds": ["attention"]}
    )
    missing = refused(tmp_path, evaluate={"suite": "text", "texts": ["no/such.txt"]})
    assert "evaluate.texts[0]: the text cannot be read: No such file" in missing
    (tmp_path / "bad.jsonl").write_text('{"label": "a"}\n')
    assert "bad.jsonl:1" in refused(
        tmp_path, probes={"kinds": ["neurons"], "groups": str(tmp_path / "bad.jsonl")}
    )
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    assert "no UTF-8: byte 3" in refused(
        tmp_path, evaluate={"suite": "text", "texts": [str(tmp_path / "latin.txt")]}
    )


def test_what_is_answered_is_not_asked_again() -> None:
    """But scores of an older suite are, and a text that was not among those before."""
    old = {"suite": "text", "suite_version": 0, "section": "perplexity", "item": "validation"}
    new = old | {"suite_version": VERSIONS["text"]}
    refused = {"suite": "probes", "suite_version": None, "section": "heads", "item": ""}
    plan = AskPlan(suites=("text",), probes=("heads", "neurons"))

    def left(*rows: dict[str, Any], plan: AskPlan = plan) -> AskPlan:
        return plan.without(lambda table: list(rows) if table == "evaluations" else [])

    assert left(old).suites == ("text",)
    assert left(new).suites == ()
    assert left(new, refused).probes == ("neurons",)
    named = replace(plan, texts=UserTexts(named=(("mine.txt", "text"),)))
    assert left(new, plan=named).suites == ("text",)
    assert left(new, new | {"item": "mine.txt"}, plan=named).suites == ()
    assert not plan.wants("evaluations", old)
    assert plan.wants("evaluations", new)
    assert plan.wants("evaluations", refused)
    assert not plan.wants("probes_components", {})
