"""What this machine gives to a sweep."""

import math
import os
import re
from pathlib import Path
from typing import Final

VMSTAT: Final = Path("/proc/vmstat")
CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_GROUPS: Final = Path("/proc/self/cgroup")


def usable_cpus() -> int:
    """Return how many processors this process may keep busy; all, where there is no such limit.

    On Linux a part of the machine may have been assigned, and a container may have a quota: as much
    processor time as so many processors have.
    """
    if hasattr(os, "sched_getaffinity"):
        assigned = len(os.sched_getaffinity(0))
    else:
        assigned = os.cpu_count() or 1
    quota = cpu_quota()
    return assigned if quota is None else max(1, min(assigned, math.ceil(quota)))


def cpu_quota(cgroups: Path = CGROUPS, own_groups: Path = OWN_GROUPS) -> float | None:
    """Return the least quota of this process's control groups, in processors; None for none.

    Source: the kernel's documentation, "Control Group v2" (cpu.max), and for version 1
    "CFS Bandwidth Control" (cpu.cfs_quota_us). In a container its own group is the root.

    Args:
        cgroups: where the groups are mounted.
        own_groups: the file that says which of them are this process's.
    """
    quotas = [
        _quota(root / folder.relative_to("/"))
        for root, group in _groups(cgroups, own_groups)
        for folder in (group, *group.parents)
    ]
    return min((quota for quota in quotas if quota is not None), default=None)


def _groups(cgroups: Path, own_groups: Path) -> list[tuple[Path, Path]]:
    """Return where a hierarchy is mounted, and this process's group in it, of each with a quota."""
    found = [(cgroups, Path("/")), (cgroups / "cpu", Path("/"))]
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0":  # version 2
            found += [(cgroups, Path(group)), (cgroups / "unified", Path(group))]
        elif "cpu" in controllers.split(","):
            found += [(cgroups / name, Path(group)) for name in ("cpu", controllers)]
    return [(root, group) for root, group in found if group.is_absolute()]


def _quota(folder: Path) -> float | None:
    try:
        try:
            quota, period = (folder / "cpu.max").read_text().split()
        except FileNotFoundError:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        microseconds = int(quota)  # "max" in version 2 and -1 in version 1 mean none
        return microseconds / int(period) if microseconds > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def processes_killed_for_memory(vmstat: Path = VMSTAT) -> int:
    """Return how many processes this machine's kernel has killed for want of memory; 0 if unknown.

    Source: `oom_kill` in /proc/vmstat, which counts those that a container's limit killed, too.
    """
    try:
        found = re.search(r"^oom_kill (\d+)$", vmstat.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 0 if found is None else int(found[1])
