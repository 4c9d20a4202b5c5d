"""The command line with a real local Ray: what a user does, and what happens to a user."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.now import read_now
from picosweep.sweeps.store.reader import read_journal
from picosweep.trained.probe import probe
from tests.small_sweep import command, here, picosweep, small_text, table

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"tokenizer": {"kind": "bpe", "vocab_size": 300}, "block_size": 16},
    "budget": {"unit": "tokens", "min": 4096, "factor": 2, "rungs": 3, "reports_per_rung": 2},
    "objectives": [{"metric": "bits_per_byte"}],
    "evaluation": {"tokens": 1024},
    "search": {"trials_per_architecture": 3, "sampler": "random"},
    "confirm": {"top": 1, "seeds": 1},
    "samples": {"prompts": ["Ada sees"], "num_tokens": 8},
    "common": {"batch_size": 8, "learning_rate": {"log_uniform": [1e-3, 1e-2]}},
    "architectures": {
        "kgram": {"context_size": [1, 2], "vocab_size": [300, 320], "embed_size": 8},
        "lstm": {"hidden_size": [8, 16], "embed_size": 8},
        "transformer": {"embed_size": 16, "num_heads": 2, "block_size": [16, 32]},
        "linear_transformer": {"embed_size": 16, "num_heads": 2, "num_layers": [1, 2]},
    },
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text with something to learn in it."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(small_text(300), encoding="utf-8")
    return path


def _write_spec(folder: Path, text: Path, **changes: Any) -> Path:
    spec = SPEC | changes
    spec["data"] = {"source": str(text)} | SPEC["data"]
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def _check_whole(folder: Path) -> pl.DataFrame:
    trials, reports = table(folder, "trials"), table(folder, "reports")
    assert trials.group_by("architecture").len()["len"].to_list() == [4, 4, 4, 4]
    assert set(trials["status"]) <= {"completed", "stopped"}
    assert not reports.select("trial_id", "step").is_duplicated().any()
    rungs = reports.filter(pl.col("rung").is_not_null())
    assert (rungs["tokens"] == 4096 * 2 ** rungs["rung"]).all()
    for trial_id, step in trials.select("trial_id", "step").iter_rows():
        (checkpoint,) = (folder / "checkpoints" / trial_id).iterdir()
        assert checkpoint.name.startswith(f"{step}-")
    sessions = json.loads((folder / "sessions.json").read_text())
    assert sum(session["new_tokens"] for session in sessions) <= trials["tokens"].sum()
    return reports


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, text: Path) -> tuple[Path, str]:
    """A sweep that nothing happened to, and what it printed."""
    folder = tmp_path_factory.mktemp("reference")
    output = picosweep("run", _write_spec(folder, text), "--results", folder / "results")
    return folder, output


def _numbers(folder: Path) -> pl.DataFrame:
    """What a trial's rows say, without how fast the machine was."""
    measured = ("seconds", "training_seconds", "tokens_per_second", "peak_memory_bytes", "time")
    return table(folder, "reports").drop(measured).sort("trial_id", "step")


def _check_same_bits(folder: Path, reference: Path) -> None:
    """Trials that two sweeps share have the same rows, as far as both trained them."""
    ours, theirs = _numbers(folder), _numbers(reference)
    keys = ["trial_id", "step"]
    shared = ours.join(theirs, on=keys, how="semi")
    assert shared.height > 20
    assert shared.equals(theirs.join(ours, on=keys, how="semi"))


def test_a_sweep_from_the_command_line(reference: tuple[Path, str], text: Path) -> None:
    """One command leaves tables and a report; the same again finds everything done."""
    root, output = reference
    folder = root / "results" / "small"
    assert str(folder / "report.html") in output
    for architecture in SPEC["architectures"]:
        assert architecture in output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) > 100_000
    assert str(root) not in page  # it may be sent to a stranger
    assert str(text.parent) not in page
    assert "A trial that reaches the last rung reads the training text" in page
    assert "A trial that reaches the last rung reads the training text" in output
    reports = _check_whole(folder)
    assert (reports["val_loss"].is_finite() & (reports["val_accuracy"] > 0)).all()
    session = json.loads((folder / "sessions.json").read_text())[0]
    assert session["new_tokens"] == table(folder, "trials")["tokens"].sum()
    assert 0 < session["busy_share"] < 1
    again = picosweep("run", root / "spec.yaml", "--results", root / "results")
    assert "nothing had to be trained" in again
    assert table(folder, "reports").equals(reports)


def test_looking_at_a_sweep(reference: tuple[Path, str]) -> None:
    """Status, one trial, its replay and its writing, as the report tells its readers to do."""
    results = reference[0] / "results"
    status = json.loads(here("status", "--results", results, "--json"))
    assert status[0]["num_trials"] == 16
    assert status[0]["driver"] is None
    assert "not running" in here("status", "small", "--results", results)
    trial_id = status[0]["best"]["transformer"][0]
    shown = json.loads(here("show", trial_id[:9], "--results", results, "--json"))
    assert shown["trial"]["trial_id"] == trial_id
    assert len(shown["samples"]) == 6
    assert "decision" in here("show", trial_id, "--results", results)
    assert "the same to the last bit" in here("replay", trial_id, "--results", results)
    written = picosweep("generate", trial_id, "-p", "Ada ", "--tokens", "9", "--results", results)
    assert written.startswith("Ada ")
    assert len(written) > len("Ada \n")
    heads = json.loads(here("probe", trial_id, "--results", results, "--json"))
    assert [(head["layer"], head["head"]) for head in heads["probes_heads"]] == [
        *((layer, head) for layer in range(2) for head in range(2)), (None, None),
    ]  # fmt: skip
    assert "all alike" in here("probe", trial_id, "--results", results)
    look = ("probe", trial_id, "--kind", "attention", "--results", results)
    assert "reads 'Ada sees' as" in here(*look, "-p", "Ada sees")
    assert "needs a prompt" in picosweep(*look, expect=2)
    with pytest.raises(InputError, match="the model reads 1 to"):
        probe(trial_id, kind="attention", prompt="Ada " * 99, results=results)
    kgram = status[0]["best"]["kgram"][0]
    with pytest.raises(InputError, match="has no attention"):
        probe(kgram, results=results)
    _evaluate(results, trial_id, kgram)
    assert "search.trials_per_architecture" in here("suggest", "small", "--results", results)
    assert "no such trial" in picosweep("show", "nope", "--results", results, expect=2)
    assert "did you mean small?" in picosweep("status", "smal", "--results", results, expect=2)


def _evaluate(results: Path, trial_id: str, other: str) -> None:
    """Put two trials to a suite: printed, saved, compared, as a page."""
    saved, page = results / "saved.json", results / "page.html"
    said = here("evaluate", trial_id, other, "--results", results, "--save", saved)
    assert "bits per byte" in said
    after = ("evaluate", trial_id, "--results", results, "--baseline", saved)
    scored = json.loads(here(*after, "--page", page, "--json").rpartition("}")[0] + "}")
    assert {row["suite"] for row in scored["evaluations"]} == {"text"}
    assert scored["sentences"][0].startswith("Bits per byte on unseen text: ")
    assert page.stat().st_size > 100_000


@contextlib.contextmanager
def _started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*arguments),
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


def test_a_sweep_that_is_cut_short_goes_on(
    tmp_path: Path, text: Path, reference: tuple[Path, str]
) -> None:
    """Its terminal closed, then killed, the same command finishes it: no row lost or different."""
    spec = _write_spec(tmp_path, text)
    folder = tmp_path / "results" / "small"
    journal = b""
    for how, code in ((signal.SIGHUP, 130), (signal.SIGKILL, -9)):
        lines = _journal_lines(folder) + 12
        with _started("run", spec, "--results", tmp_path / "results") as process:
            _wait(lambda: _journal_lines(folder) > lines or process.poll() is not None)  # noqa: B023
            if how == signal.SIGHUP:  # of a terminal: to all processes of its group
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
            output, _ = process.communicate(timeout=60)
        assert process.returncode == code, output
        content = (folder / "journal/000000.jsonl").read_bytes()
        assert content.startswith(journal)
        journal = content[: content.rindex(b"\n") + 1]
    picosweep("run", spec, "--results", tmp_path / "results")
    assert (folder / "journal/000000.jsonl").read_bytes().startswith(journal)
    _check_whole(folder)
    trials = table(folder, "trials")
    assert trials.filter(pl.col("num_attempts") > 1).height <= 4  # one for each slot and cut
    _check_same_bits(folder, reference[0] / "results" / "small")


def test_a_killed_worker_costs_nothing_but_time(
    tmp_path: Path, text: Path, reference: tuple[Path, str]
) -> None:
    """A trial whose process dies is taken up by another one from its checkpoint."""
    spec = _write_spec(tmp_path, text)
    folder = tmp_path / "results" / "small"
    with _started("run", spec, "--results", tmp_path / "results") as process:
        _wait(lambda: _journal_lines(folder) > 12 or process.poll() is not None)
        workers = [pid for pid, title in _processes_of(process.pid) if "TrialActor" in title]
        os.kill(workers[0], signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "the process that trained it died" in output
    _check_whole(folder)
    assert table(folder, "trials")["num_attempts"].max() == 2
    _check_same_bits(folder, reference[0] / "results" / "small")


def test_a_running_sweep_hears_other_terminals(tmp_path: Path, text: Path) -> None:
    """Its log is followed, one of its trials stopped, then all of it; the command goes on later."""
    slow = tmp_path / "slow"
    slow.touch()
    model = {"model": "tests.sweeps.my_model:Leisurely", "file": str(slow), "width": [4, 6, 8]}
    spec = _write_spec(
        tmp_path,
        text,
        budget={"unit": "steps", "min": 64, "factor": 2, "rungs": 3, "reports_per_rung": 4},
        early_stopping={"scheduler": "none"},
        confirm={"top": 0},
        architectures={"mine": model},
    )
    results = tmp_path / "results"
    folder = results / "small"
    with _started("run", spec, "--results", results) as process:
        _wait(lambda: _journal_lines(folder) > 3 or process.poll() is not None)
        with _started("logs", "small", "--follow", "--results", results) as following:
            assert "is being run" in picosweep("run", spec, "--results", results, expect=2)
            status = json.loads(picosweep("status", "small", "--json", "--results", results))[0]
            assert f"process {process.pid} on" in status["driver"]
            unwanted = next(iter(read_now(folder)["running"]))  # type: ignore[index]
            words = picosweep("stop", "small", "--trial", unwanted[:8], "--results", results)
            assert words == f"trial {unwanted} ends at its next report\n"
            _wait(lambda: _last_row(folder, unwanted)["status"] == "stopped")
            assert process.poll() is None, "the sweep ended with the trial"
            assert "has stopped" in picosweep("stop", "small", "--results", results)
            assert process.wait(timeout=30) == 130
            output, _ = following.communicate(timeout=30)
    assert f"asked to stop trial {unwanted}" in output
    assert output.rstrip().endswith("training has ended") or "the report is written" in output
    assert "not running" in picosweep("status", "small", "--results", results)
    assert "stopped by the user" in picosweep("show", unwanted, "--results", results)
    assert "is not running" in picosweep("stop", "small", "--results", results, expect=2)
    before = table(folder, "reports")
    slow.unlink()
    picosweep("run", spec, "--results", results)
    trials = dict(table(folder, "trials").select("trial_id", "status").iter_rows())
    assert trials.pop(unwanted) == "stopped"
    assert set(trials.values()) == {"completed"}
    reports = table(folder, "reports")
    assert reports.join(before, on=before.columns, how="semi", nulls_equal=True).equals(before)
    assert not reports.select("trial_id", "step").is_duplicated().any()


def _last_row(folder: Path, trial_id: str) -> dict[str, Any]:
    """What the journal says last of a trial."""
    rows = [row for row in read_journal(folder)["trials"] if row["trial_id"] == trial_id]
    return rows[-1]


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


def test_bad_input_is_one_message_and_leaves_nothing(tmp_path: Path, text: Path) -> None:
    """Exit code 2, the place of the mistake, no traceback, no folder."""
    spec = _write_spec(tmp_path, text.with_name("none.txt"))
    output = picosweep("run", spec, "--results", tmp_path / "results", expect=2)
    assert "data.source" in output
    assert "none.txt" in output
    assert not (tmp_path / "results" / "small").exists()
    spec = _write_spec(tmp_path, text, resources={"cpu": 1000})
    output = picosweep("run", spec, "--results", tmp_path / "results", expect=2)
    assert "resources.cpu" in output
    assert not (tmp_path / "results" / "small").exists()
    locked = tmp_path / "file"
    locked.write_text("not a folder")
    picosweep("run", _write_spec(tmp_path, text), "--results", locked, expect=2)


def test_other_data_under_the_same_name_is_refused(
    tmp_path: Path, text: Path, reference: tuple[Path, str]
) -> None:
    """Losses on different texts are not compared by accident."""
    changed = tmp_path / "changed.txt"
    changed.write_text(text.read_text() + "\n\nGil meets Ada. " * 50)
    spec = _write_spec(tmp_path, changed)
    output = picosweep("run", spec, "--results", reference[0] / "results", expect=2)
    assert "give the spec another name" in output


def _write_clocked_spec(folder: Path, text: Path, rungs: int) -> Path:
    return _write_spec(
        folder,
        text,
        budget={"unit": "seconds", "min": 0.5, "factor": 2, "rungs": rungs},
        architectures={name: SPEC["architectures"][name] for name in ("kgram", "transformer")},
        confirm={"top": 0},
    )


def _check_clocked(folder: Path, rungs: int) -> pl.DataFrame:
    """Every trial gets the same time, up to a step or two; returns the reports."""
    trials, reports = table(folder, "trials"), table(folder, "reports")
    assert set(trials["status"]) <= {"completed", "stopped"}
    completed = trials.filter(status="completed")
    assert completed.height
    assert (completed["training_seconds"] >= 0.5 * 2 ** (rungs - 1)).all()
    assert not reports.select("trial_id", "step").is_duplicated().any()
    at_rungs = reports.filter(pl.col("rung").is_not_null())
    assert set(at_rungs["trial_id"]) == set(trials["trial_id"])
    behind = at_rungs["training_seconds"] / (0.5 * 2 ** at_rungs["rung"]) - 1
    assert (behind >= 0).all()
    assert at_rungs["grad_norm"].is_finite().all()
    return reports


def test_a_budget_in_seconds(tmp_path: Path, text: Path) -> None:
    """Rungs lie a step behind their marks; without checkpoints it goes on as if it had them."""
    results = tmp_path / "results"
    folder = results / "small"
    picosweep("run", _write_clocked_spec(tmp_path, text, 2), "--results", results)
    reports = _check_clocked(folder, 2)
    assert (reports["training_seconds"] < reports["seconds"]).all()
    ends = reports.filter(rung=1)
    samples = table(folder, "samples")
    assert set(samples["trial_id"]) == set(ends["trial_id"])
    assert "of training a trial" in (folder / "report.html").read_text()
    shutil.rmtree(folder / "checkpoints")
    picosweep("run", _write_clocked_spec(tmp_path, text, 3), "--results", results)
    longer = _check_clocked(folder, 3)
    assert longer[: reports.height].equals(reports)
    new = longer[reports.height :]
    assert set(new["trial_id"]) <= set(ends["trial_id"])
    assert (new["training_seconds"] > 1).all()
    written_again = table(folder, "samples").filter(pl.col("trial_id").is_in(new["trial_id"]))
    assert set(written_again["rung"]) == {1, 2}
    trial_id = new.filter(rung=2)["trial_id"][0]
    assert "the same to the last bit" in picosweep("replay", trial_id, "--results", results)
