"""A sweep for clusters, its rows, and what must be true of them whatever happened to the nodes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from typer.testing import CliRunner

from picosweep.cli import app

TOKENS_IN_A_STEP = 8 * 16

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"source": "text.txt", "tokenizer": {"kind": "char"}, "block_size": 16},
    "budget": {"unit": "tokens", "min": 8192, "factor": 2, "rungs": 3, "reports_per_rung": 2},
    "evaluation": {"tokens": 1024},
    "search": {"trials_per_architecture": 6, "sampler": "random"},
    "common": {"batch_size": 8, "learning_rate": {"log_uniform": [1e-3, 1e-2]}},
    "architectures": {
        "kgram": {"context_size": [1, 2], "embed_size": 8, "hidden_size": 16},
        "transformer": {"embed_size": 16, "num_heads": 2, "num_layers": [1, 2]},
    },
}


def small_text(num_documents: int) -> str:
    """A text with something to learn in it."""
    names = ("Ada", "Bea", "Cid", "Dot", "Eve", "Fay")
    verbs = ("sees", "calls", "meets", "hears", "likes")
    said = [f"{a} {verb} {b}." for a in names for verb in verbs for b in names]
    documents = (" ".join(said[i % 97 :: 1 + i % 7][:40]) for i in range(num_documents))
    return "\n\n".join(documents)


def command(*arguments: str | Path) -> list[str]:
    """The command line as a list of words."""
    return [sys.executable, "-m", "picosweep.cli", *map(str, arguments)]


def write_sweep(folder: Path, **changes: Any) -> Path:
    """A spec and the text that it names, side by side."""
    (folder / "text.txt").write_text(small_text(200), encoding="utf-8")
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC | changes), encoding="utf-8")
    return path


def here(*arguments: str | Path) -> str:
    """Run the command line in this process, which has torch already; what it printed."""
    words = [*map(str, arguments)]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def picosweep(
    *arguments: str | Path, cwd: Path | None = None, expect: int = 0, **environment: str
) -> str:
    """Run the command line; what it printed."""
    result = subprocess.run(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"} | environment,
        timeout=240,
    )
    assert result.returncode == expect, result.stdout
    assert "Traceback" not in result.stdout
    return result.stdout


def table(folder: Path, name: str) -> pl.DataFrame:
    """One of a sweep's tables."""
    return pl.read_parquet(folder / name / "*.parquet")


def check_whole(folder: Path, num_trials: int) -> pl.DataFrame:
    """No trial or report is missing, none is there twice; the trials."""
    trials, reports = table(folder, "trials"), table(folder, "reports")
    assert trials.height == num_trials
    assert not trials["trial_id"].is_duplicated().any()
    assert set(trials["status"]) <= {"completed", "stopped"}
    assert not reports.select("trial_id", "step").is_duplicated().any()
    first = json.loads((folder / "spec.json").read_text())["budget"]["min"] / TOKENS_IN_A_STEP
    steps = sorted({int(first * 2 ** (half / 2)) for half in range(-1, 5)})
    for trial_id, tokens in trials.select("trial_id", "tokens").iter_rows():
        found = reports.filter(pl.col("trial_id") == trial_id)["step"].sort().to_list()
        assert found == [step for step in steps if step * TOKENS_IN_A_STEP <= tokens]
        assert found[-1] * TOKENS_IN_A_STEP == tokens
    sessions = json.loads((folder / "sessions.json").read_text())
    assert sum(session["new_tokens"] for session in sessions) == trials["tokens"].sum()
    return trials
