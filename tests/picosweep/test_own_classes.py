"""A user's class beside the spec, in a folder full of the user's other files, edited in between."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.small_sweep import table, write_sweep

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

LIKE_LIBRARIES = ("tokenizers", "statistics", "queue", "analysis", "pico", "picosweep", "optuna")
"""Names of the user's own files that our code, Ray or a library imports, too."""

MODEL = """
import own_layers
from torch import nn

print("imported")

class Tiny(nn.Module):
    def __init__(self, vocab_size, block_size, width=8, norm=nn.LayerNorm, device=None):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width, device=device)
        self.norm = norm(width)
        self.head = own_layers.Head(width, vocab_size, device=device)

    def forward(self, ids):
        return self.head(self.embed(ids))
"""
LAYERS = "from torch import nn\n\nclass Head(nn.Linear):\n    SCALE = 1\n"


def run(folder: Path, *arguments: str, expect: int = 0) -> str:
    """Run the installed command as a user does, in a folder; what it printed."""
    done = subprocess.run(
        [Path(sys.executable).parent / "picosweep", *arguments],
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == expect, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def test_own_class_among_own_files(tmp_path: Path) -> None:
    """Files called like libraries do no harm; an edited helper makes other trials."""
    for name in LIKE_LIBRARIES:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user'+chr(39)+'s own')\n")
    (tmp_path / "own_model.py").write_text(MODEL)
    (tmp_path / "own_layers.py").write_text(LAYERS)
    write_sweep(
        tmp_path,
        budget={"unit": "steps", "min": 4, "rungs": 1, "reports_per_rung": 1},
        search={"trials_per_architecture": 2},
        confirm={"top": 0},
        common={"batch_size": 4},
        architectures={"mine": {"model": "own_model:Tiny", "width": [8, 12], "precision": "auto"}},
    )
    run(tmp_path, "run", "spec.yaml")
    first = table(tmp_path / "results" / "small", "trials")
    assert first["status"].to_list() == ["completed"] * 2
    trial = first["trial_id"][0]
    assert "the same to the last bit" in run(tmp_path, "replay", trial)
    assert "nothing had to be trained" in run(tmp_path, "run", "spec.yaml")

    (tmp_path / "own_layers.py").write_text(LAYERS.replace("1", "2"))
    told = run(tmp_path, "run", "spec.yaml")
    assert "not counted: 2 trials of an earlier spec, of other data or of other code" in told
    after = table(tmp_path / "results" / "small", "trials")
    assert after.filter(~pl.col("current"))["trial_id"].sort().to_list() == sorted(
        first["trial_id"].to_list()
    )
    assert after.height == 4
    assert "the code of own_model:Tiny has changed since" in run(
        tmp_path, "replay", trial, expect=2
    )
    written = run(tmp_path, "generate", trial, "-p", "Ada", "--tokens", "4")
    assert "the code of own_model:Tiny has changed since this trial was trained" in written
    (tmp_path / "own_model.py").unlink()
    gone = run(tmp_path, "generate", trial, expect=2)
    assert "give the command in the folder from which the sweep was run" in gone
