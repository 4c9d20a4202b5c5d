"""A driver that trains nothing: it writes down that it ran, waits, and ends as its spec says.

The spec is JSON: `seconds` to run, `code` to end with, `die` to be killed in the middle.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from picosweep.service.queue.attempts import Attempt


def main() -> NoReturn:
    """Run, or notice that another has run."""
    attempt = Attempt(folder=Path(sys.argv[1]))
    lock = attempt.take()
    if lock is None:
        os._exit(75)
    orders = json.loads(attempt.spec.read_text())
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    with (attempt.folder.parents[2] / "ran.txt").open("a") as ran:
        ran.write(f"{orders['name']} {attempt.folder.name}\n")
    end = time.monotonic() + orders.get("seconds", 0)
    while time.monotonic() < end and not stopped:
        time.sleep(0.01)
    if orders.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdout.write("the last words\n")
    sys.stdout.flush()
    attempt.finish(130 if stopped else orders.get("code", 0))
    os._exit(0)


if __name__ == "__main__":
    main()
