"""What needs torch, in a process of its own: `python -m picosweep.service.looking WHAT RESULTS`.

A check that is as thorough as a run's imports torch, a plan trains a few steps, and a trained model
is loaded to write. The service stays small and answers others meanwhile, so each is done by a
process that ends.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from picosweep.service.untrusted import Allowed, check_submitted, check_text
from picosweep.sweeps.errors import InputError, Problem, input_error

MOST_SECONDS: Final = 300.0
MOST_WAITING: Final = 8
"""Requests that may wait for their turn; each holds one of the service's threads."""
SPEC: Final = "spec.yaml"
REQUEST: Final = "request.json"


class BusyError(RuntimeError):
    """As many wait for their turn as may."""


@dataclass(kw_only=True)
class Looker:
    """Checks and plans what is submitted, one after another.

    Args:
        results: folder in which sweeps land.
        allowed: what a spec may name.
        environment: variables of the processes.
    """

    results: Path
    allowed: Allowed
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        """Let one at a time be looked at: each takes a core and half a gigabyte."""
        self._turn = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def check(self, spec: str) -> str:
        """Return the name of the sweep that a text describes.

        Raises:
            InputError: it is no spec that `picosweep run` would take, or names what it may not.
        """
        return str(self._ask(spec, "check")["name"])

    def plan(self, spec: str) -> dict[str, Any]:
        """Return what a sweep would do and cost, as `--dry-run` says it.

        Raises:
            InputError: as `check`, or its data cannot be used.
        """
        return self._ask(spec, "plan")

    def generate(self, trial_id: str, request: Mapping[str, Any]) -> str:
        """Return what a trained trial writes.

        Args:
            trial_id: of the trial.
            request: arguments of `LoadedModel.generate`.

        Raises:
            InputError: the trial has no checkpoint, or its tokenizer cannot read the prompt.
        """
        with TemporaryDirectory(prefix="picosweep-") as name:
            content = json.dumps({"trial_id": trial_id, "with": dict(request)})
            (Path(name) / REQUEST).write_text(content)
            return str(self._run("generate", Path(name))["text"])

    def _ask(self, spec: str, what: str) -> dict[str, Any]:
        check_text(spec)
        with TemporaryDirectory(prefix="picosweep-") as name:
            path = Path(name) / SPEC
            path.write_text(spec, encoding="utf-8", errors="surrogatepass")
            try:
                check_submitted(path, self.allowed)
            except InputError as error:
                raise InputError(
                    *(_shown(vars(one), path.parent) for one in error.problems)
                ) from error
            return self._run(what, path.parent)

    def _run(self, what: str, folder: Path) -> dict[str, Any]:
        if not self._room.acquire(blocking=False):
            raise BusyError("too much is being looked at; try again in a minute")
        try:
            with self._turn:
                done = self._process(what, folder)
        finally:
            self._room.release()
        lines = done.stdout.decode(errors="replace").splitlines()
        try:
            answer: dict[str, Any] = json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise input_error("it could not be looked at", found=" ".join(words)) from error
        if "problems" in answer:
            raise InputError(*(_shown(problem, folder) for problem in answer["problems"]))
        return answer

    def _process(self, what: str, folder: Path) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "picosweep.service.looking", what, str(self.results)]
        try:
            return subprocess.run(  # noqa: S603 - our own command line
                command, cwd=folder, env=dict(self.environment), capture_output=True,
                stdin=subprocess.DEVNULL, timeout=MOST_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise input_error(f"it took more than {MOST_SECONDS:g} s") from error


def _shown(problem: Mapping[str, str], folder: Path) -> Problem:
    """Return a problem without the folder in which the text lay for a moment."""
    return Problem(**{k: v.replace(f"{folder}/", "") for k, v in problem.items()})


def _look(what: str, results: Path) -> dict[str, Any]:
    if what == "generate":
        from picosweep.trained.generate import LoadedModel  # noqa: PLC0415 - imports torch

        request = json.loads(Path(REQUEST).read_text())
        return {"text": LoadedModel(request["trial_id"], results).generate(**request["with"])}
    from picosweep.sweeps.search.setup import check_sweep  # noqa: PLC0415 - imports torch

    if what == "check":
        return {"name": check_sweep(Path(SPEC)).spec.name}
    from picosweep.commands.plan import plan  # noqa: PLC0415

    found = plan(Path(SPEC), results=results)
    return {
        "unit": found.unit,
        "rungs": list(found.rungs),
        "slots": found.slots,
        "seconds": found.expected_seconds / found.slots,
        "remarks": list(found.remarks),
        "architectures": [
            {
                "name": one.name,
                "num_trials": one.num_trials,
                "num_confirmations": one.num_confirmations,
                "num_configurations": one.num_configurations,
                "expected_tokens": one.expected_tokens,
                "worst_tokens": one.worst_tokens,
                "tokens_per_second": one.tokens_per_second,
                "memory_bytes": one.memory_bytes,
            }
            for one in found.architectures
        ],
    }


def main() -> None:
    """Print the answer as JSON; bad input is answered by its problems."""
    what, results = sys.argv[1:]
    try:
        answer = _look(what, Path(results))
    except InputError as error:
        answer = {"problems": [vars(problem) for problem in error.problems]}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
