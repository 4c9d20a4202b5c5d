"""Memory of a process that trains many trials one after another: kept, and measured by trial."""

import ctypes
import resource
import sys
from pathlib import Path
from typing import Final

import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_KEPT_BYTES: Final = 256 * 2**20
"""Freed memory beyond this goes back to the system."""
_LARGEST_KEPT_BYTES: Final = 32 * 2**20
"""A tensor larger than this goes back to the system alone; glibc takes no larger number."""


def keep_freed_memory() -> None:
    """Make the process keep the memory that one training step frees for the next one.

    By default glibc gives tensors of a megabyte back to the system when they are freed, and a
    small model then spends a seventh of its time on fresh pages for the next step's.
    Do nothing where the C library has no `mallopt`.

    Source: `man 3 mallopt`.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def reset_peak_memory(device: torch.device) -> None:
    """Forget earlier peaks, where the system can: Linux and CUDA."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        # What an earlier trial freed and the process kept would count as this one's.
        libc.malloc_trim(0)
    try:
        _CLEAR_REFS.write_text("5")  # resets VmHWM, and only that
    except OSError:
        return


def peak_memory_bytes(device: torch.device) -> int:
    """Return the peak since the last reset.

    Of the accelerator where there is one; otherwise of the whole process's resident memory, which
    where the peak cannot be reset is that of the process's lifetime.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
