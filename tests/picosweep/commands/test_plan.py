"""The plan of a sweep, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from picosweep.commands.plan import plan
from picosweep.pico.trial import TrialConfig
from picosweep.sweeps.errors import InputError
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.plan import print_plan


def _write(folder: Path, **changes: Any) -> Path:
    text = folder / "text.txt"
    text.write_text("\n\n".join(f"line {i} says {i * 7 % 31} and {i % 5}." for i in range(2000)))
    spec = {
        "name": "planned",
        "data": {
            "source": str(text),
            "tokenizer": {"kind": "char"},
            "block_size": 8,
        },
        "budget": {"unit": "tokens", "min": 512, "factor": 3, "rungs": 3},
        "search": {"trials_per_architecture": 100},
        "common": {"batch_size": [4, 8]},
        "architectures": {
            "kgram": {"context_size": [1, 2], "embed_size": [4, 8], "hidden_size": 8},
        },
        "constraints": ["context_size * embed_size != 8"],
    }
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec | changes))
    return path


def test_the_plan_counts_what_is_feasible(tmp_path: Path) -> None:
    """Half of a finite space breaks a constraint: the plan says so, and trains nothing."""
    found = plan(_write(tmp_path), results=tmp_path / "results")
    (kgram,) = found.architectures
    assert found.rungs == (512, 1536, 4608)
    assert kgram.num_configurations == 8
    assert (kgram.feasibility.num_checked, kgram.feasibility.num_feasible) == (8, 4)
    assert kgram.num_trials == 4
    assert kgram.worst_tokens == 4 * 4608
    assert kgram.expected_tokens == pytest.approx(4 * (512 + 1024 / 3 + 3072 / 9))
    assert kgram.tokens_per_second > 0
    assert not (tmp_path / "results" / "planned").exists()
    console = PlainConsole(record=True, width=100)
    print_plan(console, found)
    assert "50% rejected by context_size * embed_size != 8" in console.export_text()


def test_a_plan_in_seconds_knows_the_time(tmp_path: Path) -> None:
    """What is known is the time; how much text that is depends on the speed of the moment."""
    budget = {"unit": "seconds", "min": 0.5, "factor": 4, "rungs": 3}
    found = plan(_write(tmp_path, budget=budget), results=tmp_path / "results")
    (kgram,) = found.architectures
    assert found.rungs == (0.5, 2, 8)
    assert kgram.num_trials == 4
    assert kgram.worst_tokens == pytest.approx(4 * 8 * kgram.tokens_per_second)
    assert found.expected_seconds == pytest.approx(4 * (0.5 + 1.5 / 4 + 6 / 16))
    console = PlainConsole(record=True, width=100)
    print_plan(console, found)
    text = console.export_text()
    assert "rungs at 0.5, 2, 8 seconds" in text
    assert "the tokens are a guess from the speeds measured now" in text


def test_the_plan_says_which_files_were_left_out(tmp_path: Path) -> None:
    """By suffix, with the reason; the same sentence goes into `data.json` and the report."""
    folder = tmp_path / "texts"
    folder.mkdir()
    _write(folder)
    (folder / "engine.cpp").write_text("int main() {}")
    data = {"source": str(folder), "tokenizer": {"kind": "char"}, "block_size": 8}
    found = plan(_write(tmp_path, data=data), results=tmp_path / "results")
    *_, remark = found.remarks
    assert remark.startswith("From 'texts' was read: 1 .txt; left out: 1 .cpp, 1 .yaml (")
    assert remark.endswith("data.include names it; such as engine.cpp).")
    console = PlainConsole(record=True, width=400)
    print_plan(console, found)
    assert remark in console.export_text()


def test_bad_data_is_told_with_its_place(tmp_path: Path) -> None:
    """A plan for a missing file is refused like the sweep itself."""
    path = _write(tmp_path, data={"source": "none.txt"})
    with pytest.raises(InputError, match=r"spec.yaml:\d+: data.source"):
        plan(path, results=tmp_path / "results")


def test_no_more_slots_are_counted_than_there_are_trials(tmp_path: Path) -> None:
    """One trial takes its time on a machine with many slots, too."""
    path = _write(tmp_path, search={"trials_per_architecture": 1})
    assert plan(path, results=tmp_path / "results").slots == 1


def test_a_large_step_is_measured_on_fewer_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model for graphics cards has its plan in seconds; a small one is measured as it is."""
    measured: list[int] = []

    def speed(trial: TrialConfig, *_: object, **__: object) -> float:
        measured.append(trial.training.batch_size)
        return 1000.0

    monkeypatch.setattr("picosweep.commands.plan.tokens_per_second", speed)
    large = {"embed_size": 512, "num_layers": 12, "num_heads": 8, "batch_size": 512}
    architectures = {"large": {"model": "transformer", **large}, "kgram": {"batch_size": 512}}
    budget = {"unit": "steps", "min": 10, "rungs": 1}
    spec = _write(tmp_path, architectures=architectures, constraints=[], budget=budget)
    found = plan(spec, results=tmp_path / "results")
    rows = dict(zip((part.name for part in found.architectures), measured, strict=True))
    assert rows["kgram"] == 512
    assert 1 <= rows["large"] < 512
    assert found.architectures[0].expected_tokens % (512 * 8) == 0  # the plan itself is of 512
