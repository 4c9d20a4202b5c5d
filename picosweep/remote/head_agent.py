"""What runs on the head of a cluster, called over ssh: it answers in JSON.

Folders, below the user's home: `picosweep/sweeps/<name>` a submitted spec with its files and what
its driver printed, `picosweep/results` the results folder.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.store.lock import running_driver
from picosweep.sweeps.workers.code_version import code_digest
from picosweep.sweeps.workers.nodes import list_nodes

HOME: Final = Path("picosweep")
SWEEPS: Final = HOME / "sweeps"
RESULTS: Final = HOME / "results"
SPEC_FILE: Final = "spec.yaml"
OUTPUT_FILE: Final = "output.log"
EXIT_FILE: Final = "exit_code"
START_SECONDS: Final = 20.0
"""A driver that cannot run mostly says so within this time."""


def about() -> dict[str, Any]:
    """Return what is installed here, and whether the cluster's token is there."""
    return {
        "version": importlib.metadata.version("picosweep"),
        "code": code_digest(),
        "token": (Path.home() / ".ray" / "auth_token").is_file(),
    }


def start(name: str) -> dict[str, Any]:
    """Start the driver of a submitted sweep, detached from this connection.

    Raises:
        InputError: the sweep is running already, or no Ray answers here.
    """
    driver = running_driver(Path.home() / RESULTS / name)
    if driver is not None:
        raise input_error(f"the sweep {name!r} is being run by {driver}", hint="stop it first")
    answer = {"nodes": list_nodes("auto")}
    folder = Path.home() / SWEEPS / name
    (folder / EXIT_FILE).unlink(missing_ok=True)
    results = Path.home() / RESULTS
    run = [sys.executable, "-m", "picosweep.cli", "run", SPEC_FILE, "--results", str(results)]
    environment = os.environ | {
        "RAY_ADDRESS": "auto",
        "RAY_AUTH_MODE": "token",
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(folder)))),
        "COLUMNS": "100",
    }
    with (folder / OUTPUT_FILE).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            # The shell outlives this program and keeps the exit code.
            ["/bin/sh", "-c", f'"$@"; echo $? > {EXIT_FILE}', "sh", *run],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return answer | _watch(process, folder, results / name)


def _watch(process: "subprocess.Popen[bytes]", folder: Path, results: Path) -> dict[str, Any]:
    before = (folder / OUTPUT_FILE).stat().st_size
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            code = int((folder / EXIT_FILE).read_text() or -1)
            with (folder / OUTPUT_FILE).open("rb") as output:
                output.seek(before)
                text = output.read().decode(errors="replace")
            return {"state": "ended", "exit_code": code, "output": text}
        if running_driver(results) is not None:
            return {"state": "running"}
        time.sleep(0.2)
    return {"state": "starting"}


COMMANDS: Final[dict[str, Callable[..., dict[str, Any]]]] = {"about": about, "start": start}


def main() -> None:
    """Run one of `COMMANDS` and print its answer as JSON; bad input is answered by its message."""
    command, *arguments = sys.argv[1:]
    try:
        answer = COMMANDS[command](*arguments)
    except InputError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
