"""The command line with a real local Ray: what a user does, and what happens to a user."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"tokenizer": {"kind": "bpe", "vocab_size": 300}, "block_size": 16},
    "budget": {"unit": "tokens", "min": 2048, "factor": 2, "rungs": 3, "reports_per_rung": 2},
    "evaluation": {"tokens": 1024},
    "search": {"trials_per_architecture": 3, "sampler": "random"},
    "confirm": {"top": 1, "seeds": 1},
    "common": {"batch_size": 8, "learning_rate": {"log_uniform": [1e-3, 1e-2]}},
    "architectures": {
        "kgram": {"context_size": [1, 2], "embed_size": 8, "hidden_size": 16},
        "lstm": {"hidden_size": [8, 16], "embed_size": 8},
        "transformer": {"embed_size": 16, "num_heads": 2, "num_layers": [1, 2]},
        "linear_transformer": {"embed_size": 16, "num_heads": 2, "num_layers": [1, 2]},
    },
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text with something to learn in it."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    names = ("Ada", "Bea", "Cid", "Dot", "Eve", "Fay")
    verbs = ("sees", "calls", "meets", "hears", "likes")
    sentences = [f"{a} {verb} {b}." for a in names for verb in verbs for b in names]
    path.write_text(
        "\n\n".join(" ".join(sentences[i % 97 :: 1 + i % 7][:40]) for i in range(300)),
        encoding="utf-8",
    )
    return path


def _write_spec(folder: Path, text: Path, **changes: Any) -> Path:
    spec = SPEC | changes
    spec["data"] = {"source": str(text)} | SPEC["data"]
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "sweeps.cli", *map(str, arguments)]


def _run(*arguments: str | Path, expect: int = 0) -> str:
    result = subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == expect, output
    assert "Traceback" not in output
    return output


def _table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / name / "*.parquet")


def _check_whole(folder: Path) -> pl.DataFrame:
    trials, reports = _table(folder, "trials"), _table(folder, "reports")
    assert trials.group_by("architecture").len()["len"].to_list() == [4, 4, 4, 4]
    assert set(trials["status"]) <= {"completed", "stopped"}
    assert not reports.select("trial_id", "step").is_duplicated().any()
    rungs = reports.filter(pl.col("rung").is_not_null())
    assert (rungs["tokens"] == 2048 * 2 ** rungs["rung"]).all()
    sessions = json.loads((folder / "sessions.json").read_text())
    assert sum(session["new_tokens"] for session in sessions) <= trials["tokens"].sum()
    return reports


def test_a_sweep_from_the_command_line(tmp_path: Path, text: Path) -> None:
    """One command leaves tables and a report; the same again finds everything done."""
    spec = _write_spec(tmp_path, text)
    output = _run("run", spec, "--results", tmp_path / "results")
    folder = tmp_path / "results" / "small"
    assert str(folder / "report.html") in output
    for architecture in SPEC["architectures"]:
        assert architecture in output
    assert (folder / "report.html").stat().st_size > 100_000
    reports = _check_whole(folder)
    assert (reports["val_loss"].is_finite() & (reports["val_accuracy"] > 0)).all()
    session = json.loads((folder / "sessions.json").read_text())[0]
    assert session["new_tokens"] == _table(folder, "trials")["tokens"].sum()
    assert 0 < session["busy_share"] < 1
    again = _run("run", spec, "--results", tmp_path / "results")
    assert "nothing had to be trained" in again
    assert _table(folder, "reports").equals(reports)


@contextlib.contextmanager
def _started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        _command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def _journal_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (folder / "journal").glob("*.jsonl"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_cut_short_goes_on(tmp_path: Path, text: Path, how: signal.Signals) -> None:
    """Killed or interrupted in the middle, the same command finishes it: no row lost or doubled."""
    budget = SPEC["budget"] | {"min": 8192}
    spec = _write_spec(tmp_path, text, budget=budget)
    folder = tmp_path / "results" / "small"
    with _started("run", spec, "--results", tmp_path / "results") as process:
        _wait(lambda: _journal_lines(folder) > 25 or process.poll() is not None)
        process.send_signal(how)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130), output
    lines = _journal_lines(folder)
    journal = (folder / "journal/000000.jsonl").read_bytes()
    _run("run", spec, "--results", tmp_path / "results")
    assert _journal_lines(folder) > lines
    assert (folder / "journal/000000.jsonl").read_bytes().startswith(journal)
    trials, reports = _table(folder, "trials"), _table(folder, "reports")
    assert not reports.select("trial_id", "step").is_duplicated().any()
    assert set(trials["status"]) <= {"completed", "stopped"}
    assert trials.filter(pl.col("num_attempts") > 1).height <= 2  # one for each slot
    expected = reports.group_by("trial_id").agg(pl.col("step").max().alias("last"))
    assert trials.join(expected, on="trial_id").filter(pl.col("step") != pl.col("last")).height == 0


def test_a_killed_worker_costs_nothing_but_time(tmp_path: Path, text: Path) -> None:
    """A trial whose process dies is taken up by another one from its checkpoint."""
    spec = _write_spec(tmp_path, text, budget=SPEC["budget"] | {"min": 8192})
    folder = tmp_path / "results" / "small"
    with _started("run", spec, "--results", tmp_path / "results") as process:
        _wait(lambda: _journal_lines(folder) > 12 or process.poll() is not None)
        workers = [pid for pid, title in _processes_of(process.pid) if "TrialActor" in title]
        os.kill(workers[0], signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "the process that trained it died" in output
    trials = _table(folder, "trials")
    assert set(trials["status"]) <= {"completed", "stopped"}
    assert trials["num_attempts"].max() == 2
    assert not _table(folder, "reports").select("trial_id", "step").is_duplicated().any()


def _processes_of(ancestor: int) -> Iterator[tuple[int, str]]:
    """Every descendant of a process and its title."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
                titles[int(entry.name)] = (entry / "cmdline").read_text()
    for pid in parents:
        parent = pid
        while parent in parents and parent != ancestor:
            parent = parents[parent]
        if parent == ancestor and pid != ancestor:
            yield pid, titles[pid]


def test_the_same_sweep_gives_the_same_bits(tmp_path: Path, text: Path) -> None:
    """Trials with the same id in two folders have the same numbers, whatever ran beside them."""
    tables = []
    for name, max_concurrent in (("one", 1), ("two", 2)):
        spec = _write_spec(
            tmp_path,
            text,
            architectures={"lstm": SPEC["architectures"]["lstm"]},
            early_stopping={"scheduler": "none"},
            resources={"max_concurrent": max_concurrent},
        )
        _run("run", spec, "--results", tmp_path / name)
        frame = _table(tmp_path / name / "small", "reports")
        tables.append(
            frame.drop("seconds", "tokens_per_second", "peak_memory_bytes", "time").sort(
                "trial_id", "step"
            )
        )
    assert tables[0].height > 10
    assert tables[0].equals(tables[1])


def test_bad_input_is_one_message_and_leaves_nothing(tmp_path: Path, text: Path) -> None:
    """Exit code 2, the place of the mistake, no traceback, no folder."""
    spec = _write_spec(tmp_path, text.with_name("none.txt"))
    output = _run("run", spec, "--results", tmp_path / "results", expect=2)
    assert "data.source" in output
    assert "none.txt" in output
    assert not (tmp_path / "results" / "small").exists()
    spec = _write_spec(tmp_path, text, resources={"cpu": 1000})
    output = _run("run", spec, "--results", tmp_path / "results", expect=2)
    assert "resources.cpu" in output
    assert not (tmp_path / "results" / "small").exists()
    locked = tmp_path / "file"
    locked.write_text("not a folder")
    _run("run", _write_spec(tmp_path, text), "--results", locked, expect=2)


def test_other_data_under_the_same_name_is_refused(tmp_path: Path, text: Path) -> None:
    """Losses on different texts are not compared by accident."""
    small = {"architectures": {"kgram": SPEC["architectures"]["kgram"]}}
    _run("run", _write_spec(tmp_path, text, **small), "--results", tmp_path / "results")
    changed = tmp_path / "changed.txt"
    changed.write_text(text.read_text() + "\n\nGil meets Ada. " * 50)
    spec = _write_spec(tmp_path, changed, **small)
    output = _run("run", spec, "--results", tmp_path / "results", expect=2)
    assert "give the spec another name" in output
