"""Looking at the sweeps of a cluster, stopping them, and bringing their results home."""

import shlex
import sys
from pathlib import Path

from picosweep.remote.head import Head, find_head
from picosweep.remote.head_agent import OUTPUT_FILE, RESULTS, SWEEPS
from picosweep.remote.shell import CONNECTION_FAILED, capture, copy, follow, unreachable
from picosweep.remote.submit import PYTHON
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.folder import OF_ITS_DRIVER
from picosweep.sweeps.store.lock import running_driver

FIRST_BYTES = 16_384
"""Of a journal: enough to identify its sweep, since it begins with the time of the first trial."""


def on_head(address: str, *words: str) -> int:
    """Run `picosweep` with these arguments on a cluster's head.

    What it prints is printed here, and its exit code is returned.

    Raises:
        InputError: the head cannot be reached.
    """
    head = find_head(address)
    command = [PYTHON, "-m", "picosweep.cli", *words, "--results", str(RESULTS)]
    result = capture(head, "env", "COLUMNS=100", *command)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


def show_logs(address: str, sweep: str, *, keep_on: bool) -> int:
    """Print what a submitted sweep's driver printed and logged.

    Args:
        address: the cluster's file, or `user@host` of its head.
        sweep: name of the sweep.
        keep_on: whether to go on printing what is added, until the user interrupts it.

    Raises:
        InputError: the head cannot be reached, or has no such sweep.
    """
    head = find_head(address)
    output = shlex.quote(f"{SWEEPS}/{sweep}/{OUTPUT_FILE}")
    log = f"$(ls -t {shlex.quote(f'{RESULTS}/{sweep}/logs')}/*.log 2>/dev/null | head -n 1)"
    known = capture(head, "test", "-f", f"{SWEEPS}/{sweep}/{OUTPUT_FILE}")
    if known.returncode:
        there = capture(head, "ls", str(SWEEPS)).stdout.split()
        raise input_error(
            "no such sweep on this cluster",
            where=address,
            found=sweep,
            allowed=", ".join(there) or "none yet: submit one first",
        )
    tail = "tail -n +1 -q -F" if keep_on else "cat"
    code = follow(head, f"{tail} {log} {output}")
    if code == CONNECTION_FAILED:
        raise unreachable(head, "the connection ended")
    return code


def fetch(
    sweep: str,
    *,
    address: str = "cluster.yaml",
    results: str | Path = "results",
    checkpoints: bool = True,
) -> Path:
    """Copy a sweep's results to this machine, also while it runs; once more copies what is new.

    Args:
        sweep: name of the sweep.
        address: the cluster's file, or `user@host` of its head.
        results: the local results folder.
        checkpoints: whether the trials' checkpoints are copied, too.

    Returns:
        the sweep's folder on this machine.

    Raises:
        InputError: the head cannot be reached, has no such sweep, or there is another sweep of
            that name here.
    """
    head = find_head(address)
    remote, local = f"{RESULTS}/{sweep}", Path(results) / sweep
    _check_same(head, remote, local)
    local.mkdir(parents=True, exist_ok=True)
    left_out = ["--exclude=.*.tmp", *(f"--exclude=/{name}" for name in sorted(OF_ITS_DRIVER))]
    if not checkpoints:
        left_out.append("--exclude=/checkpoints")
    # The journal first and alone: what comes after it may be newer than it, never older.
    copy(f"head:{remote}/journal", f"{local}/", head)
    copy(f"head:{remote}/", f"{local}/", head, "--exclude=/journal", *left_out)
    return local


def _check_same(head: Head, remote: str, local: Path) -> None:
    """Check that fetching overwrites no other sweep, and nothing that was added here."""
    journal = f"{remote}/journal/000000.jsonl"
    size = capture(head, "stat", "--format=%s", journal)
    if size.returncode:
        there = capture(head, "ls", str(RESULTS)).stdout.split()
        raise input_error(
            "no results of such a sweep on this cluster",
            where=head.address,
            found=local.name,
            allowed=", ".join(there) or "none yet",
        )
    ours = local / "journal" / "000000.jsonl"
    if not ours.exists():
        return
    hint = "move that folder away, or fetch to another with --results"
    driver = running_driver(local)
    if driver is not None:
        raise input_error(f"this sweep is being run here, by {driver}", where=str(local))
    begins = capture(head, "head", "-c", str(FIRST_BYTES), journal).stdout.encode()
    with ours.open("rb") as file:
        if not begins.startswith(file.read(FIRST_BYTES)[: len(begins)]):
            raise input_error("another sweep of that name lies here", where=str(local), hint=hint)
    if ours.stat().st_size > int(size.stdout):
        raise input_error(
            "the sweep has gone on here since it was fetched", where=str(local), hint=hint
        )
