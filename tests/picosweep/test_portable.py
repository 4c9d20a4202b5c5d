"""Where the system has no `/proc` and none of Linux's own functions, as on a MacBook."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.in_process import TEXT

ROOT = Path(__file__).parents[2]
GUARDED = {
    "pico/training/memory.py",
    "picosweep/commands/environment.py",
    "sweeps/workers/machine.py",
}
"""Modules that look into `/proc` where there is one, and do without it elsewhere."""

HIDE = """
import os, time, ctypes, pathlib
def hide(name):
    original = getattr(pathlib.Path, name)
    def hidden(self, *arguments, **options):
        if str(self).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return original(self, *arguments, **options)
    setattr(pathlib.Path, name, hidden)
for name in ("open", "read_text", "write_text", "read_bytes", "iterdir"):
    hide(name)
del os.sched_getaffinity, time.CLOCK_BOOTTIME
library = ctypes.CDLL
ctypes.CDLL = lambda name, *a, **k: object() if name is None else library(name, *a, **k)
"""
"""What another system lacks, taken away from our own code; psutil goes on reading what it needs."""


def _run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", HIDE + code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_trial_trains_without_them(tmp_path: Path) -> None:
    """Memory is measured as the process's, and its environment is described."""
    (tmp_path / "text.txt").write_text(TEXT)
    code = """
from pathlib import Path
import torch
from picosweep.commands.environment import describe_environment
from picosweep.commands.logs import seconds_since_process_start
from picosweep.pico.training.memory import peak_memory_bytes, reset_peak_memory
from picosweep.pico.training.process import prepare_process
from picosweep.sweeps.workers.machine import usable_cpus
prepare_process()
reset_peak_memory(torch.device("cpu"))
assert peak_memory_bytes(torch.device("cpu")) > 10**7
assert describe_environment()["memory_bytes"] > 10**8
assert 0 < seconds_since_process_start() < 600
assert usable_cpus() == os.cpu_count()
"""
    _run(code)


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_runs_without_them(tmp_path: Path) -> None:
    """From the plan to the report, and `stop` finds that nothing runs."""
    (tmp_path / "text.txt").write_text(TEXT)
    spec = {
        "name": "portable",
        "data": {
            "source": str(tmp_path / "text.txt"),
            "tokenizer": {"kind": "char"},
            "block_size": 8,
        },
        "budget": {"unit": "tokens", "min": 512, "factor": 2, "rungs": 2},
        "evaluation": {"tokens": 256},
        "search": {"trials_per_architecture": 2, "sampler": "random"},
        "architectures": {"kgram": {"context_size": [1, 2], "embed_size": 8, "batch_size": 8}},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    code = f"""
import picosweep
spec, results = {str(tmp_path / "spec.yaml")!r}, {str(tmp_path / "results")!r}
if __name__ == "__main__":
    assert picosweep.plan(spec, results=results).slots >= 1
    found = picosweep.run(spec, results=results)
    assert found.status == "completed" and found.report.exists()
    try:
        picosweep.stop("portable", results=results)
    except picosweep.InputError as error:
        print(error)
"""
    assert "this sweep is not running" in _run(code)


def test_nothing_else_looks_there() -> None:
    """A new look into `/proc` has to be guarded, and to be named here."""
    found = set()
    for part in ("pico", "sweeps", "analysis", "picosweep"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
                if is_text and node.value.startswith("/proc"):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == GUARDED
