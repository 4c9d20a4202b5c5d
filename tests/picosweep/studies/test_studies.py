"""Studies run: what they write is what their tables hold, and nothing is trained twice."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from picosweep.studies.judge import interval, samples_of
from picosweep.studies.outcome import Outcome
from picosweep.studies.page import page_of, told
from picosweep.studies.run import _start, study
from picosweep.studies.study import Study, load_study, study_names
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.reader import read_rows
from tests.small_sweep import here, picosweep, small_text

PAGES = Path(__file__).parents[3] / "docs" / "studies"

OWN: dict[str, Any] = {
    "title": "Context",
    "question": "Does more context help?",
    "original": "A guess.",
    "mended": ["It is measured."],
    "base": {
        "data": {"source": "text.txt", "tokenizer": {"kind": "bpe", "vocab_size": 270}},
        "evaluation": {"tokens": 1024},
        "budget": {"unit": "steps", "min": 200, "factor": 2, "rungs": 1, "reports_per_rung": 1},
        "search": {"sampler": "grid", "trials_per_architecture": 1},
        "confirm": {"top": 1, "seeds": 3},
        "common": {"batch_size": 8, "learning_rate": 0.01, "embed_size": 8, "hidden_size": 16},
    },
    "sweeps": {
        "context": {
            "asks": "One token, or three.",
            "spec": {
                "architectures": {
                    "one": {"model": "kgram", "context_size": 1},
                    "three": {"model": "kgram", "context_size": 3},
                }
            },
        },
        "further": {
            "asks": "What comes of training on, and what a Transformer looks at.",
            "starts_from": {"on": "context/three"},
            "best": 2,
            "spec": {
                "samples": {"prompts": ["Ada "], "num_tokens": 8},
                "evaluate": {"suite": "text", "texts": ["study:apart.txt"]},
                "probes": {"kinds": ["attention"], "prompt": "Ada sees Bea."},
                "architectures": {
                    "on": {"model": "kgram", "context_size": 3},
                    "new": {"model": "kgram", "context_size": 3},
                    "looks": {"model": "transformer", "num_layers": 1, "num_heads": 2},
                },
            },
        },
    },
    "claims": [
        {"name": "more", "text": "Three are better", "below": 0.0,
         "difference": ["context/three", "context/one"]},
        {"name": "on", "text": "Training on is no worse", "below": 0.1, "paired": True,
         "difference": ["further/on", "further/new"]},
        {"name": "apart", "text": "Letters apart are harder to read", "above": 0.0,
         "value": "further/on", "table": "evaluations", "metric": "score",
         "where": {"section": "bits per byte", "item": "apart.txt"}},
    ],
    "pictures": [
        {"sweep": "context", "figure": "best-settings"},
        {"sweep": "further", "figure": "attention", "architecture": "looks", "layer": 0},
    ],
    "texts": [
        {"arm": "further/on", "prompt": "Ada "},
        {"arm": "context/three", "prompt": "Ada ", "num_tokens": 4,
         "decoders": [{"temperature": 0}, {"top_p": 0.5}]},
    ],
}  # fmt: skip


def test_a_study_of_ones_own_is_what_its_tables_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run twice, the second time nothing is trained, and the page is the same to the letter."""
    (tmp_path / "text.txt").write_text(small_text(200), encoding="utf-8")
    (tmp_path / "apart.txt").write_text(" ".join(small_text(3)), encoding="utf-8")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(OWN, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    planned = here("study", file, "--dry-run")
    assert "further: planned once context/three is trained" in planned
    said = picosweep("study", file, "--results", "results", cwd=tmp_path)
    assert "holds" in said
    assert "20 trials: " in said
    page = tmp_path / "results/studies/mine.md"
    first = page.read_text(encoding="utf-8")
    again = json.loads(here("study", file, "--json"))
    assert again["new_tokens"] == 0
    assert [claim["verdict"] for claim in again["claims"]] == ["holds"] * 3
    assert page.read_text(encoding="utf-8") == first
    losses: dict[str, list[float]] = {"one": [], "three": []}
    for row in read_rows(tmp_path / "results/mine-context", "trials"):
        if row["cohort"] == "confirm":
            losses[row["architecture"]].append(row["val_loss"])
    outcome = Outcome.from_json(page.with_suffix(".json").read_text(encoding="utf-8"))
    judged, further, _ = outcome.claims
    assert [sorted(arm.values) for arm in judged.arms] == [
        sorted(losses["three"]),
        sorted(losses["one"]),
    ]
    difference = statistics.fmean(losses["three"]) - statistics.fmean(losses["one"])
    assert judged.estimate == pytest.approx(difference)
    assert f"| {told(judged)} | **holds** |" in first
    pictures = ["mine-context-best-settings-0.png", "mine-further-attention-looks.png"]
    assert all((page.parent / one).read_bytes().startswith(b"\x89PNG") for one in pictures)
    # It went on from the best of the first sweep: better than the same from random weights.
    (three,) = [arm for arm in outcome.sweeps["context"].arms if arm.architecture == "three"]
    (start,) = [row for row in read_rows(tmp_path / "results/mine-context", "trials")
                if row["trial_id"] == three.trial_id]  # fmt: skip
    assert further.estimate is not None
    assert further.estimate < 0
    assert max(further.arms[0].values) < start["val_loss"]
    # What it wrote at the end of training, by six decoders, and now, by the two asked for.
    decoders = [one.decoder for one in outcome.texts]
    assert len(decoders) == 8
    assert decoders[-2:] == ["greedy", "temperature 1, top-p 0.5"]
    assert all(f"| {one.arm} | `{one.trial_id[:8]}` | {one.decoder} |" in first
               for one in outcome.texts)  # fmt: skip
    best = outcome.sweeps["further"].best
    assert [row["val_loss"] for row in best] == sorted(
        row["val_loss"] for row in read_rows(tmp_path / "results/mine-further", "trials")
        if row["cohort"] != "confirm"
    )[:2]  # fmt: skip


def test_what_cannot_be_run_is_one_message(tmp_path: Path) -> None:
    """No such study, and no study at all; the list has a line for each that there is."""
    with pytest.raises(InputError, match=r"did you mean course\?"):
        load_study("cuorse")
    (tmp_path / "bad.yaml").write_text("title: x")
    with pytest.raises(InputError, match="not a study"):
        load_study(str(tmp_path / "bad.yaml"))
    assert "which study?" in picosweep("study", cwd=tmp_path, expect=2)
    listed = here("study", "--list")
    assert all(f"{name}: " in listed for name in study_names())


def test_a_hubs_data_can_be_a_file(tmp_path: Path) -> None:
    """Which one, says the message; given, it takes the place of the hub's."""
    own = OWN | {"base": OWN["base"] | {"data": OWN["base"]["data"] | {"source": "hf:a/b"}}}
    file = tmp_path / "hub.yaml"
    file.write_text(yaml.safe_dump(own | {"local": "a text"}))
    with pytest.raises(InputError, match=r"(?s)hint: .*--source FILE, a text"):
        study(str(file), results=tmp_path / "results")
    _, found = load_study(str(file))
    assert found.spec("hub", "context", "small", "x.txt")["data"]["source"] == "x.txt"
    assert found.spec("hub", "context", "small", None)["data"]["source"] == "hf:a/b"


def test_an_arm_without_a_trained_trial_is_told(tmp_path: Path) -> None:
    """As where all of its trials diverged."""
    chosen = Study.model_validate(OWN)
    folders = {"context": tmp_path / "mine-context"}
    with pytest.raises(InputError, match=r"(?s)no trial of this arm.*found: *context/three"):
        _start(chosen, "further", folders)
    assert _start(chosen, "context", {}) == {}


@pytest.mark.parametrize("name", study_names())
def test_every_spec_of_a_shipped_study_is_one(name: str) -> None:
    """In both profiles; with as many trials and at least three seeds on either side."""
    _, shipped = load_study(name)
    for sweep in shipped.sweeps:
        for profile in ("small", "full"):
            checked = check_sweep(shipped.spec(name, sweep, profile, "text.txt"))
            compared = [
                one for one in shipped.claims if any(a.startswith(f"{sweep}/") for a in one.arms)
            ]
            assert not compared or checked.spec.confirm.seeds >= 3


@pytest.mark.parametrize("name", study_names())
def test_a_shipped_page_is_what_its_numbers_say(name: str) -> None:
    """The page to the letter, and each verdict by its seeds."""
    _, shipped = load_study(name)
    kept = json.loads((PAGES / f"{name}.json").read_text(encoding="utf-8"))
    outcome = Outcome.from_json(json.dumps(kept))
    assert page_of(shipped, name, outcome) == (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert [one.claim for one in outcome.claims] == [one.name for one in shipped.claims]
    for claim, found in zip(shipped.claims, outcome.claims, strict=True):
        assert [arm.arm for arm in found.arms] == list(claim.arms)
        if found.arms and found.verdict != "cannot tell":
            known = interval(
                samples_of(found.arms, paired=claim.paired), 0.05 / shipped.num_intervals
            )
            assert (found.estimate, found.low, found.high) == pytest.approx(known)
            holds = known[2] < claim.below if claim.below is not None else known[1] > claim.above  # type: ignore[operator]
            assert holds == (found.verdict == "holds")
    for picture in PAGES.glob(f"{name}-*.png"):
        assert picture.name in (PAGES / f"{name}.md").read_text(encoding="utf-8")
