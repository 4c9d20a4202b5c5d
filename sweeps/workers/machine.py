"""What this machine gives to a sweep."""

import os


def usable_cpus() -> int:
    """Return how many processors this process may use; all, where the system has no such limit."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a part of the machine may have been assigned
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
