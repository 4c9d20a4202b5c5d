"""A model that does what it is told: it learns, and on order it raises, hangs, diverges or starves.

An order is a file in the folder named by `PICOSWEEP_CHAOS`. Whichever process deletes it first
obeys it, at its next training step, so that the trial and the moment are left to chance.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

ORDERS = "PICOSWEEP_CHAOS"
STEP_SECONDS = 0.004
TRIAL_ORDERS = ("raise", "memory", "hang", "diverge")
BATCH_SIZE = 4
"""Sequences in a training step; whoever counts what a model costs shows it fewer or more."""


class ObedientBigram(nn.Module):
    """Predicts the next token from the current one alone, and keeps a record of its steps."""

    def __init__(self, vocab_size: int, block_size: int, number: int = -1) -> None:
        super().__init__()
        self.number = number
        self.embed = nn.Embedding(vocab_size, 4)
        self.head = nn.Linear(4, vocab_size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.embed(ids))
        folder = os.environ.get(ORDERS)
        # The driver, too, makes models, to count what they cost.
        is_worker = Path(sys.argv[0]).name == "default_worker.py"
        is_step = self.training and len(ids) == BATCH_SIZE
        if folder is None or not is_worker or self.number < 0 or not is_step:
            return logits
        _record(Path(folder), self.number)
        time.sleep(STEP_SECONDS)
        return _obey(Path(folder), logits)


def _record(folder: Path, number: int) -> None:
    """Note one training step of one trial; the number stands for its whole configuration."""
    file = os.open(folder / "steps.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"%d %d %d\n" % (number, os.getpid(), time.time_ns() // 1000))
    os.close(file)


def _obey(folder: Path, logits: torch.Tensor) -> torch.Tensor:
    order = next((name for name in (*TRIAL_ORDERS, "freeze") if _taken(folder / name)), None)
    if order == "raise":
        raise RuntimeError("told to raise")
    if order == "memory":
        _run_out_of_memory()
    if order == "hang":
        time.sleep(3600)
    if order == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    return logits * torch.nan if order == "diverge" else logits


def _taken(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _run_out_of_memory() -> None:
    """Ask for more than this process may have, and have no less afterwards."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, before[1]))
    try:
        torch.ones(2**28)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
