"""A process that trains: threads, memory, and what would slow its first step down."""

from typing import Final

import torch

from picosweep.pico.training.memory import keep_freed_memory
from picosweep.pico.training.train import warm_up

THREADS: Final = 1
"""Torch threads of a trial. Tiny models gain little from more; a fixed number fixes the bits."""


def prepare_process() -> None:
    """Set up a fresh process so that even its first training step takes the usual time."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    keep_freed_memory()
    warm_up()
