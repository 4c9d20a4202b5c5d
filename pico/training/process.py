"""A process that trains: threads, memory, and what would slow its first step down."""

from typing import Final

import torch

from picosweep.pico.training.memory import keep_freed_memory
from picosweep.pico.training.train import warm_up

THREADS: Final = 1
"""Torch threads of a trial. Tiny models gain little from more; a fixed number fixes the bits."""


def prepare_process() -> None:
    """Bring a fresh process to where a training step takes its usual time and gives its bits."""
    prepare_timing()
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    warm_up()


def prepare_timing() -> None:
    """Give a process the threads and the memory of one that trains, which cost nothing to have.

    The rest of `prepare_process` imports torch's compiler: two seconds.
    """
    torch.set_num_threads(THREADS)
    keep_freed_memory()
