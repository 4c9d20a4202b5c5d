"""How many processors a process may keep busy."""

import os
from pathlib import Path

import pytest

from picosweep.sweeps.workers import machine
from picosweep.sweeps.workers.machine import cpu_quota, processes_killed_for_memory, usable_cpus


def write(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("own", "group", "files", "expected"),
    [
        ("0::/\n", "", {"cpu__max": "150000 100000\n"}, 1.5),
        ("0::/\n", "", {"cpu__max": "max 100000\n"}, None),
        ("0::/user.slice/a.scope\n", "user.slice", {"cpu__max": "50000 100000\n"}, 0.5),
        (
            "3:cpu,cpuacct:/box\n1:name=systemd:/\n",
            "cpu,cpuacct/box",
            {"cpu__cfs_quota_us": "200000\n", "cpu__cfs_period_us": "100000\n"},
            2.0,
        ),
        (
            "3:cpu:/elsewhere\n",  # in a container, which sees its own group as the root
            "cpu",
            {"cpu__cfs_quota_us": "100000\n", "cpu__cfs_period_us": "100000\n"},
            1.0,
        ),
        (
            "3:cpu:/box\n",
            "cpu/box",
            {"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"},
            None,
        ),
        ("3:cpu:/../..\n", "cpu", {"cpu__cfs_quota_us": "so many\n"}, None),
        ("nonsense", "", {"cpu__max": "1\n"}, None),
    ],
)
def test_quota_of_control_groups(
    own: str, group: str, files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    """Both versions, the group itself and those above it, and whatever cannot be read."""
    write(tmp_path / "cgroup" / group, **files)
    write(tmp_path, own=own)
    assert cpu_quota(tmp_path / "cgroup", tmp_path / "own") == expected
    assert cpu_quota(tmp_path / "none", tmp_path / "none") is None


def test_quota_is_rounded_up_and_never_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a processor is one slot; a quota of a hundred is what the machine has."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for quota, expected in [(0.5, 1), (None, there), (100.0, there)]:
        monkeypatch.setattr(machine, "cpu_quota", lambda quota=quota: quota)
        assert usable_cpus() == expected


def test_kills_for_memory_are_counted(tmp_path: Path) -> None:
    """Where the kernel says how many there were."""
    write(tmp_path, vmstat="pgfault 12\noom_kill 7\nother 1\n", old="pgfault 12\n")
    assert processes_killed_for_memory(tmp_path / "vmstat") == 7
    assert processes_killed_for_memory(tmp_path / "old") == 0
    assert processes_killed_for_memory(tmp_path / "none") == 0
