"""Running programs that nobody has read, and getting values back: `Sandbox`.

A helper process without Picosweep, Torch or any open file of ours forks one child for each
program. The child is confined before the program's first line (`pico.sandbox.confinement`), gets
the arguments, and sends back values. What they should have been it never learns: the caller holds
that and compares. No exit code and nothing that is printed counts.
"""

import contextlib
import functools
import json
import math
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import IO, Any, Final, Literal, cast

Mode = Literal["auto", "none"]
Ended = Literal[
    "returned", "error", "timeout", "memory", "output", "crashed", "forged", "infrastructure"
]
Value = Any
"""A plain value of Python: None, bool, int, float, str, or a list, tuple or dict of them."""

MEMORY_BYTES: Final = 512 << 20
ANSWER_SECONDS: Final = 30.0
"""Time beyond a program's own in which the helper must answer, on however busy a machine."""
OUT_OF_TIME: Final = -24
"""How a process ends whose processor time is used up: SIGXCPU."""


class SandboxUnavailableError(RuntimeError):
    """Programs cannot be confined here."""


class NotPlain:
    """Stands for a value of a type that is not passed on; equal to nothing but itself."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


@dataclass(frozen=True, kw_only=True)
class Raised:
    """Stands for a call that raised."""

    error: str
    """Name of the exception's type."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a program."""

    ended: Ended
    """`returned`: every call has a value or was seen to raise; otherwise why there are none."""
    values: tuple[Value, ...] = ()
    """One for each call; `Raised` or `NotPlain` where there is no plain value."""
    detail: str = ""
    """Name of the error, or what happened, in a few words."""
    parses: bool | None = None
    """Whether its text is Python; None where that is not known."""
    seconds: float = 0.0
    """Wall-clock time from its start to its end."""


class Sandbox:
    """A helper process in which programs are run, one after another.

    Args:
        mode: `none` runs programs with the rights of this user; limits of time alone remain.

    Raises:
        SandboxUnavailableError: a layer is missing, or does not hold: tried by doing.
    """

    def __init__(self, mode: Mode = "auto") -> None:
        self.mode: Mode = mode
        self._process: subprocess.Popen[bytes] | None = None
        self.layers = "none" if mode == "none" else self._try_layers()

    def close(self) -> None:
        """End the helper process and what it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):  # what was not sent is lost with the helper
                        stream.close()
            self._process = None

    def call(
        self, code: str, entry: str, calls: Sequence[Sequence[Value]], *, seconds: float
    ) -> Outcome:
        """Define a function by running a program, and call it.

        Args:
            code: the program's text.
            entry: name of the function.
            calls: arguments of each call, plain values that JSON can hold.
            seconds: wall-clock time that the program has in all.
        """
        request = {"action": "call", "code": code, "entry": entry, "calls": [*map(list, calls)]}
        answer = self._ask(request, seconds)
        if answer is None:
            return Outcome(ended="infrastructure", detail="the helper process did not answer")
        return _outcome(answer, len(calls))

    def parses(self, code: str) -> bool | None:
        """Return whether a text is Python, without running it; None where that took too long."""
        answer = self._ask({"action": "parse", "code": code}, seconds=10.0)
        reply = _reply(answer) if answer else None
        return None if reply is None else reply.get("stage") == "parsed"

    @property
    def helper(self) -> int | None:
        """The helper's process id; None where it does not run."""
        return None if self._process is None else self._process.pid

    def _try_layers(self) -> str:
        with tempfile.NamedTemporaryFile() as outside:
            answer = self._ask({"action": "try_layers", "outside": outside.name}, seconds=10.0)
        reply = _reply(answer) if answer else None
        wrong = "the helper process did not answer" if reply is None else ""
        if reply is not None:
            wrong = reply.get("missing") or "; ".join(reply.get("allowed", ()))
        if reply is None or wrong:
            self.close()
            raise SandboxUnavailableError(
                f"generated code was not executed, because it cannot be confined here ({wrong}). "
                "Run it where it can: Linux 5.13 or newer with Landlock and seccomp, which gVisor "
                "and some containers lack; or without confinement in a machine that you can throw "
                "away: --sandbox none"
            )
        return ", ".join(f"{name} {version}".strip() for name, version in reply["layers"].items())

    def _ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """Return the helper's answer; None where it has none, and the next gets a new helper."""
        process = self._process = self._process or _start()
        limits = {
            "seconds": seconds,
            "memory_bytes": MEMORY_BYTES,
            "sandbox": self.mode,
        }
        line = json.dumps({**request, **limits}).encode() + b"\n"
        try:
            stdin = cast("IO[bytes]", process.stdin)
            stdin.write(line)
            stdin.flush()
            answer = _read_line(cast("IO[bytes]", process.stdout), seconds + ANSWER_SECONDS)
            return cast("dict[str, Any]", json.loads(answer))
        except (OSError, ValueError):
            self.close()
            return None


@functools.cache
def helper_program() -> str:
    """Return the helper's whole text: the two modules that it knows, and its start."""
    texts = {
        f"picosweep.pico.sandbox.{name}": files("picosweep.pico.sandbox")
        .joinpath(f"{name}.py")
        .read_text(encoding="utf-8")
        for name in ("confinement", "zygote")
    }
    return (
        "import sys, types\n"
        f"for name, text in {texts!r}.items():\n"
        "    module = sys.modules[name] = types.ModuleType(name)\n"
        "    exec(compile(text, name, 'exec'), module.__dict__)\n"
        "module.serve()\n"
    )


def _start() -> subprocess.Popen[bytes]:
    """Start the helper: a bare interpreter without environment, in a session of its own."""
    interpreter = getattr(sys, "_base_executable", "") or sys.executable
    return subprocess.Popen(  # noqa: S603 - our own text, by the interpreter that runs us
        [interpreter, "-I", "-S", "-B", "-c", helper_program()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _read_line(stream: IO[bytes], seconds: float) -> bytes:
    """Return a line.

    Raises:
        OSError: it did not come in time.
    """
    if not select.select([stream], [], [], seconds)[0]:
        raise TimeoutError
    return stream.readline()


def _reply(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a child wrote; None where it is not a whole reply."""
    try:
        reply = json.loads(answer["reply"])
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _outcome(answer: Mapping[str, Any], num_calls: int) -> Outcome:
    """Turn the helper's answer into an outcome; believe nothing that is not whole."""
    seconds = float(answer["seconds"])
    if answer["cut"] == "time" or answer["ended"] == OUT_OF_TIME:
        return Outcome(ended="timeout", detail="out of time", seconds=seconds)
    if answer["cut"]:
        return Outcome(ended="output", detail="printed or returned too much", seconds=seconds)
    if not answer["reply"]:
        return _without_reply(answer["ended"], seconds)
    reply = _reply(answer)
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
        if reply is not None:
            return _outcome_of_reply(reply, num_calls, seconds)
    return Outcome(ended="forged", detail="wrote into the pipe of the values", seconds=seconds)


def _without_reply(ended: int | None, seconds: float) -> Outcome:
    if ended is not None and ended < 0:
        return Outcome(ended="crashed", detail=f"signal {-ended}", seconds=seconds)
    return Outcome(ended="error", detail="it left without a value", seconds=seconds)


def _outcome_of_reply(reply: Mapping[str, Any], num_calls: int, seconds: float) -> Outcome:
    if reply["stage"] == "called":
        values = tuple(decode(*value) for value in reply["values"])
        if len(values) != num_calls:
            raise ValueError
        first = next((value.error for value in values if isinstance(value, Raised)), "")
        ended: Ended = "memory" if first == "MemoryError" else "returned"
        return Outcome(ended=ended, values=values, detail=first, parses=True, seconds=seconds)
    error = str(reply["error"])
    ended = "memory" if error == "MemoryError" else "error"
    parses = reply["stage"] != "parse"
    return Outcome(ended=ended, detail=error, parses=parses, seconds=seconds)


def decode(kind: str, content: Any) -> Value:
    """Return the plain value that a child has written.

    Raises:
        ValueError: it is not in the form in which they are written.
        TypeError: likewise.
    """
    match kind:
        case "NoneType":
            return None
        case "bool" if type(content) is bool:
            return content
        case "str" if type(content) is str:
            return content
        case "int":
            return int(content, 16)
        case "float":
            return float.fromhex(content)
        case "list":
            return [decode(*item) for item in content]
        case "tuple":
            return tuple(decode(*item) for item in content)
        case "dict":
            return {decode(*key): decode(*item) for key, item in content}
        case "raised":
            return Raised(error=str(content))
        case "other":
            return NotPlain(str(content))
    raise ValueError(kind)


def equal(found: Value, expected: Value, *, tolerance: float = 1e-6) -> bool:
    """Return whether two plain values are the same: types exactly, floats to a relative 1e-6."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance) or (
            math.isnan(found) and math.isnan(expected)
        )
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(equal, found, expected))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            equal(found[key], expected[key]) for key in expected
        )
    return bool(found == expected)
