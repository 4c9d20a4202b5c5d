"""The process that runs one attempt: `python -m picosweep.attempt_driver FOLDER`."""

import atexit
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from picosweep.service.queue.attempts import Attempt
from picosweep.sweeps.store.folder import read_json

ALREADY_TAKEN: Final = 75
"""EX_TEMPFAIL of sysexits.h: another driver has this attempt."""


def main() -> NoReturn:
    """Run the sweep as the command line does, and leave its exit code in the folder."""
    attempt = Attempt(folder=Path(sys.argv[1]))
    lock = attempt.take()
    if lock is None:
        os._exit(ALREADY_TAKEN)
    os.chdir(attempt.folder)  # empty but for the attempt: no name in a spec means a file here
    from picosweep.cli import command_line  # noqa: PLC0415 - not before it is known to be needed
    from picosweep.early_start import stop_ray_started_early  # noqa: PLC0415

    orders = read_json(attempt.orders)
    again = ["--retry-failed"] if orders["retry_failed"] else []
    sys.argv = ["picosweep", "run", str(attempt.spec), "--results", orders["results"], *again]
    code, interrupted = command_line()
    attempt.finish(code)
    if not interrupted:
        stop_ray_started_early()
        atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
