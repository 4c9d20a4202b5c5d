"""The process that runs programs: it forks one confined child for each, and reads what it returns.

It runs in a fresh interpreter that imports nothing of Picosweep but this module and
`pico.sandbox.confinement`, which are handed to it as text. Requests come as lines of JSON on its
standard input, answers go as lines of JSON to its standard output; it ends when its input does.
A child has no end of either: it has a pipe for its values, one for what it prints, and no more.
"""

import errno
import gc
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, cast

from picosweep.pico.sandbox.confinement import (
    LayerMissingError,
    confine,
    die_with_parent,
    limit_resources,
)

MOST_REPLIED: Final = 1 << 20
"""Bytes of values that are read from a child."""
MOST_PRINTED: Final = 1 << 16
"""Bytes that a child may print."""
LIBRARY: Final = os.__file__.rpartition(os.sep)[0]
"""Folder of the standard library, the one place that programs may read."""
MOST_OPEN: Final = 64
"""File descriptors of this process are below this number."""
GRACE_SECONDS: Final = 0.05
"""Time in which a child that has closed its pipe may end by itself, so that its end is its own."""
Request = dict[str, Any]


def serve() -> None:
    """Answer requests until the input ends."""
    gc.freeze()  # what a child collects, it would copy
    requests = _Lines(0)
    while (line := requests.next()) is not None:
        answer = json.dumps(run(json.loads(line), requests)).encode() + b"\n"
        while answer:
            answer = answer[os.write(1, answer) :]


class _Lines:
    """Lines from a file descriptor, without a buffer that hides whether there is more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._held = b""

    def next(self) -> bytes | None:
        while b"\n" not in self._held:
            if not self.fill():
                return None
        line, _, self._held = self._held.partition(b"\n")
        return line

    def fill(self) -> bool:
        """Read on; return whether there was something."""
        content = os.read(self.descriptor, 1 << 16)
        self._held += content
        return bool(content)


def run(request: Request, requests: _Lines) -> dict[str, Any]:
    """Run one program in a child of its own.

    Args:
        request: `action` (`call`, `parse` or `try_layers`), limits, and what the action needs.
        requests: where requests come from: when it ends, so does the child, and this process.

    Returns:
        `reply` (what the child wrote), `ended` (its exit code, or minus a signal; null where it
        was ended from here), `cut` (`time` or `output` where it was ended for that, else empty),
        `seconds`.
    """
    reply_out, reply_in = os.pipe()
    printed_out, printed_in = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(request, reply_in, printed_in)
    os.close(reply_in)
    os.close(printed_in)
    ended = None
    try:
        reply, cut = _read(request["seconds"], reply_out, printed_out, requests)
        if not cut:
            ended = _wait(child)
    finally:
        if ended is None:
            _kill(child)
            os.waitpid(child, 0)
        os.close(reply_out)
        os.close(printed_out)
    return {
        "reply": reply.decode("utf-8", "replace"),
        "ended": ended,
        "cut": cut,
        "seconds": time.monotonic() - started,
    }


def _read(seconds: float, reply_out: int, printed_out: int, requests: _Lines) -> tuple[bytes, str]:
    """Read what a child returns, until it has closed its pipe or is out of time."""
    reply, num_printed = b"", 0
    deadline = time.monotonic() + seconds
    watched = [reply_out, printed_out, requests.descriptor]
    while True:
        left = deadline - time.monotonic()
        ready = select.select(watched, [], [], max(0, left))[0] if left > 0 else []
        if not ready:
            return reply, "time"
        if requests.descriptor in ready and not requests.fill():
            raise SystemExit
        if printed_out in ready:
            num_bytes = len(os.read(printed_out, 1 << 16))
            num_printed += num_bytes
            if not num_bytes:
                watched.remove(printed_out)
        if reply_out in ready:
            content = os.read(reply_out, 1 << 16)
            reply += content
            if not content:
                return reply, ""
        if max(len(reply) - MOST_REPLIED, num_printed - MOST_PRINTED) > 0:
            return b"", "output"


def _wait(child: int) -> int | None:
    """Return how a child ended; None where it has not."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.0005)


def _kill(child: int) -> None:
    """End a child, and whatever is in its session where nothing kept it from making more."""
    for target in (-child, child):
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _be_the_child(request: Request, reply_in: int, printed_in: int) -> None:
    """Do what was asked for, and end this process; it never returns."""
    try:
        os.setsid()
        die_with_parent()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(printed_in, 1)
        os.dup2(printed_in, 2)
        os.dup2(reply_in, 3)
        os.closerange(4, MOST_OPEN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        reply = _ACTIONS[request["action"]](request)
        _write(3, json.dumps(reply).encode())
    except BaseException:  # noqa: BLE001 - a child without an answer is one of the answers
        os._exit(1)
    os._exit(0)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _confine(request: Request) -> dict[str, str]:
    if request["sandbox"] == "none":
        return {}
    return confine(
        seconds=request["seconds"],
        memory_bytes=request["memory_bytes"],
        readable=[LIBRARY],
    )


def _parse(request: Request) -> dict[str, Any]:
    """Say whether a text is Python; it is not run, so limits on resources are enough."""
    limit_resources(seconds=request["seconds"], memory_bytes=request["memory_bytes"])
    compiled = _compile(request["code"])
    if isinstance(compiled, str):
        return {"stage": "parse", "error": compiled}
    return {"stage": "parsed"}


def _compile(code: str) -> CodeType | str:
    """Return the compiled text, or the name of the error that it is."""
    try:
        return compile(code, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return type(error).__name__


def _call(request: Request) -> dict[str, Any]:
    """Define a function and call it; return its values, or what was raised."""
    _confine(request)
    compiled = _compile(request["code"])
    if isinstance(compiled, str):
        return {"stage": "parse", "error": compiled}
    names: dict[str, Any] = {"__name__": "program"}
    try:
        exec(compiled, names)  # noqa: S102 - this is what the process is for
        function = names[request["entry"]]
    except Exception as error:  # noqa: BLE001 - any is an answer
        return {"stage": "define", "error": type(error).__name__}
    return {"stage": "called", "values": [_value(function, given) for given in request["calls"]]}


def _value(function: Callable[..., object], given: list[Any]) -> list[Any]:
    try:
        return encode(function(*given))
    except Exception as error:  # noqa: BLE001 - any is an answer
        return ["raised", type(error).__name__]


def encode(value: object) -> list[Any]:
    """Return a plain value as JSON holds it, with its exact type; of others only the type's name.

    A whole number is written in hexadecimal: decimal digits take time that grows with the square.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return [kind.__name__, value]
    if kind is int:
        return ["int", hex(cast("int", value))]
    if kind is float:
        return ["float", cast("float", value).hex()]
    if kind in {list, tuple}:
        return [kind.__name__, [encode(item) for item in cast("list[object]", value)]]
    if kind is dict:
        pairs = cast("dict[object, object]", value).items()
        return ["dict", [[encode(key), encode(item)] for key, item in pairs]]
    return ["other", kind.__name__]


def _try_layers(request: Request) -> dict[str, Any]:
    """Confine this process and try what must not work; report what happened."""
    try:
        layers = confine(
            seconds=request["seconds"],
            memory_bytes=request["memory_bytes"],
            readable=[LIBRARY],
        )
    except LayerMissingError as error:
        return {"missing": str(error)}
    attempts: dict[str, Callable[[], object]] = {
        "a file was read": lambda: os.open(request["outside"], os.O_RDONLY),
        "a socket was opened": socket.socket,
        "a process was made": _fork,
    }
    allowed = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EACCES}:
                allowed.append(f"{name}: {error}")
        else:
            allowed.append(name)
    return {"layers": layers, "allowed": allowed}


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


_ACTIONS: Final[dict[str, Callable[[Request], dict[str, Any]]]] = {
    "call": _call,
    "parse": _parse,
    "try_layers": _try_layers,
}
