"""Names, folders and texts with characters that globs, markup, HTML, paths and shells know."""

import os
import shutil
from pathlib import Path

import pytest

from picosweep.terminal.console import PlainConsole
from tests.small_sweep import here, picosweep, table, write_sweep

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

ODD = "runs [2] [bold] 100% $HOME 'q' é&<b>*?"
FIRST, SECOND = "k[bold]</script><i>{x}%s$(id)", "[/x]"


def test_every_command_takes_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown as they are, and lead to the folder that they name."""
    folder = tmp_path / ODD
    folder.mkdir()
    spec = write_sweep(
        folder,
        data={"source": "te [1]*.txt", "tokenizer": {"kind": "char"}, "block_size": 16},
        budget={"unit": "steps", "min": 4, "rungs": 1, "reports_per_rung": 1},
        search={"trials_per_architecture": 2},
        confirm={"top": 1, "seeds": 2},
        samples={"prompts": ["Ada"], "num_tokens": 4},
        architectures={
            FIRST: {"model": "kgram", "context_size": [1, 2], "embed_size": 8, "hidden_size": 8},
            SECOND: {"model": "lstm", "hidden_size": [4, 8]},
        },
    )
    (folder / "text.txt").rename(folder / "te [1]*.txt")
    odd = spec.rename(folder / "sp [a]ec.yaml")
    monkeypatch.chdir(folder)
    shown = here("run", odd, "--dry-run")
    assert FIRST in shown
    assert SECOND in shown
    told = picosweep("run", odd, "--results", "res [2]*", cwd=folder)
    assert f"tables  {folder}/res [2]*/small" in told
    assert f"report  {folder}/res [2]*/small/report.html" in told
    results = ["--results", "res [2]*"]
    # The rows are read elsewhere: for Polars this folder's path is a pattern.
    shutil.copytree(folder / "res [2]*" / "small" / "trials", tmp_path / "plain" / "trials")
    trials = table(tmp_path / "plain", "trials")
    assert set(trials["architecture"]) == {FIRST, SECOND}
    trial = trials["trial_id"][0]
    assert SECOND in here("status", *results)
    assert trial in here("show", trial, *results)
    assert "out [1].html" in here("report", "small", *results, "-o", "out [1].html")
    page = (folder / "out [1].html").read_text(encoding="utf-8")
    assert FIRST not in page  # escaped wherever it stands
    assert "k[bold]&lt;/script&gt;" in page
    for form in ("csv", "tensorboard", "optuna"):
        here("export", "small", *results, "--to", form)
    missing = picosweep("status", "[/y]", *results, cwd=folder, expect=2)
    assert "found:   [/y]" in missing


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """In lines, in tables and beside a spinner."""
    console = PlainConsole(width=80)
    console.print("[/x] [bold]a[/bold] :smile:")
    with console.status("[/x]"):
        pass
    assert capsys.readouterr().out == f"[/x] [bold]a[/bold] :smile:{os.linesep}"
