"""`python -m tests.chaos`: real sweeps under fault after fault, and what came of them."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.conductor import Conductor
from tests.chaos.ledger import Verdict

OWN_MOUNTS = "PICOSWEEP_CHAOS_MOUNTS"
SIZE = "size=160m"


def main() -> int:
    """Inject, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=210)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a new folder to leave everything in")
    arguments = parser.parse_args()
    _take_own_mounts()
    with tempfile.TemporaryDirectory(prefix="picosweep-chaos-") as temporary:
        folder = Path(temporary)
        results = folder / "results"
        results.mkdir()
        fillable = _mount(results)
        started = time.monotonic()
        try:
            conductor = Conductor(folder, seed=arguments.seed, fillable=fillable, tell=_tell)
            verdict = conductor.run(arguments.faults)
        finally:
            if arguments.keep is not None:
                shutil.copytree(folder, arguments.keep)
            if fillable:
                subprocess.run(["umount", "--lazy", results], check=False)
    _print(conductor, verdict, fillable, time.monotonic() - started)
    return 0 if verdict.good else 1


def _take_own_mounts() -> None:
    """Go on in a mount namespace of one's own, where the machine allows it."""
    if OWN_MOUNTS in os.environ:
        return
    os.environ[OWN_MOUNTS] = "yes"
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "-r"]
    try:
        allowed = subprocess.run([*unshare, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return
    if allowed.returncode == 0:
        os.execvp(unshare[0], [*unshare, sys.executable, "-m", "tests.chaos", *sys.argv[1:]])


def _mount(folder: Path) -> bool:
    """Put a small file system on a folder, one that can be filled."""
    mount = ["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", str(folder)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def _tell(line: str) -> None:
    print(line, flush=True)


def _print(conductor: Conductor, verdict: Verdict, fillable: bool, seconds: float) -> None:
    print(f"\n{conductor.injected.total()} faults in {conductor.lives} drivers, {seconds:.0f} s")
    for kind, count in sorted(conductor.injected.items()):
        print(f"  {count:4d} {kind}")
    if not fillable:
        print("  (no file system could be mounted: a limit on file sizes stood in for a full disk)")
    print(f"trials             {verdict.num_trials}")
    print(f"rows found         {verdict.num_rows}")
    print(f"rows lost          {len(verdict.lost)}")
    print(f"rows doubled       {verdict.doubled}")
    print(f"rows altered       {len(verdict.altered)}")
    print(f"journal ≠ Parquet  {verdict.in_one_copy}")
    print(f"trials incomplete  {len(verdict.incomplete)}")
    print(f"trials retrained   {len(verdict.retrained)}")
    print(f"damage erased {verdict.num_erased} rows of which it left no copy on the disk")
    for finding in verdict.findings:
        print(f"  {finding}")
    print("good" if verdict.good else "BAD")


if __name__ == "__main__":
    sys.exit(main())
