"""Peak memory of one trial, in a process that trains many one after another."""

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def reset_peak_memory(device: torch.device) -> None:
    """Forgets earlier peaks, where the system can: Linux and CUDA."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _CLEAR_REFS.write_text("5")  # resets VmHWM, and only that
    except OSError:
        return


def peak_memory_bytes(device: torch.device) -> int:
    """Returns the peak since the last reset.

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
