"""Hostile programs and what has to become of each: the sandbox is tried with them, not trusted."""

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from picosweep.pico.sandbox.runner import Ended, NotPlain, Outcome, Raised, Sandbox

SECONDS: Final = 20.0
"""Time that each has, but for those that have to run out of it."""
FEW_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A program that tries what it must not, in a function `f` without arguments."""

    name: str
    code: str
    stopped_by: str
    """The layer that stands in its way."""
    ended: Ended
    value: object = None
    """What the call gives where it returns: a `Raised` or `NotPlain` is compared by its name."""

    def holds(self, outcome: Outcome) -> bool:
        """Return whether what became of it is what has to."""
        if outcome.ended != self.ended:
            return False
        return self.ended != "returned" or [_plain(v) for v in outcome.values] == [
            _plain(self.value)
        ]


def run_drills(sandbox: Sandbox) -> Iterator[tuple[Drill, Outcome]]:
    """Run every program, with a file to read, a place to write and a listener to connect to."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(name)
        folder.chmod(0o755)
        secret = folder / "secret"
        secret.write_text("a secret")
        for drill in drills(
            secret=secret, outside=folder / "outside", port=listener.getsockname()[1]
        ):
            seconds = FEW_SECONDS if drill.ended == "timeout" else SECONDS
            yield drill, sandbox.call(drill.code, "f", [[]], seconds=seconds)


def _plain(value: object) -> object:
    if isinstance(value, Raised):
        return f"raised {value.error}"
    return f"a {value.type_name}" if isinstance(value, NotPlain) else value


_REFUSED: Final = Raised(error="PermissionError")


def drills(*, secret: Path, outside: Path, port: int) -> tuple[Drill, ...]:
    """Return the programs.

    Args:
        secret: a file that they try to read.
        outside: a file that does not exist, which they try to make.
        port: a port of 127.0.0.1 on which somebody listens.
    """
    return (
        _refused("fork", "import os\ndef f(): return os.fork()", "seccomp"),
        Drill(
            name="fork bomb",
            code="import os\ndef f():\n    while True:\n        try:\n            os.fork()\n"
            "        except OSError:\n            pass",
            stopped_by="seccomp, time limit",
            ended="timeout",
        ),
        _refused("another program", "import os\ndef f(): os.execv('/bin/sh', ['sh'])", "seccomp"),
        Drill(
            name="thread",
            code="import threading\ndef f(): threading.Thread(target=print).start()",
            stopped_by="seccomp",
            ended="returned",
            value=Raised(error="RuntimeError"),
        ),
        Drill(
            name="sleep",
            code="import time\ndef f(): time.sleep(600)",
            stopped_by="time limit",
            ended="timeout",
        ),
        Drill(
            name="input that never comes",
            code="def f(): return input()",
            stopped_by="no input",
            ended="returned",
            value=Raised(error="EOFError"),
        ),
        Drill(
            name="endless output",
            code="def f():\n    while True:\n        print('spam' * 1000)",
            stopped_by="limit of output",
            ended="output",
        ),
        Drill(
            name="endless value",
            code="def f(): return 'x' * (4 << 20)",
            stopped_by="limit of output",
            ended="output",
        ),
        Drill(
            name="closed output",
            code="import os, time\nos.closerange(0, 64)\ntime.sleep(600)\ndef f(): return 1",
            stopped_by="complete reply",
            ended="error",
        ),
        _refused("secret file", f"def f(): return open({str(secret)!r}).read()", "landlock"),
        _refused(
            "own environment", "def f(): return open('/proc/self/environ').read()", "landlock"
        ),
        _refused("list a folder", "import os\ndef f(): return os.listdir('/')", "landlock"),
        _refused("write outside", f"def f(): open({str(outside)!r}, 'w')", "landlock"),
        _refused("make a folder", f"import os\ndef f(): os.mkdir({str(outside)!r})", "seccomp"),
        _refused("remove a file", f"import os\ndef f(): os.remove({str(secret)!r})", "seccomp"),
        _refused("change a mode", f"import os\ndef f(): os.chmod({str(secret)!r}, 0)", "seccomp"),
        _refused(
            "connect to a listener",
            f"import socket\ndef f(): socket.create_connection(('127.0.0.1', {port}))",
            "seccomp",
        ),
        _refused("end the parent", "import os\ndef f(): os.kill(os.getppid(), 9)", "seccomp"),
        _refused(
            "signal by a pipe's owner",
            "import fcntl, os\ndef f(): fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())",
            "seccomp",
        ),
        Drill(
            name="raise its limits",
            code="import resource\ndef f(): resource.setrlimit(resource.RLIMIT_AS, (1 << 40,) * 2)",
            stopped_by="seccomp",
            ended="returned",
            value=Raised(error="ValueError"),
        ),
        Drill(
            name="equal to everything",
            code="class Same:\n    def __eq__(self, other): return True\ndef f(): return Same()",
            stopped_by="exact types",
            ended="returned",
            value=NotPlain("Same"),
        ),
        Drill(
            name="number that is equal to everything",
            code="class int(int):\n    def __eq__(self, other): return True\ndef f(): return int()",
            stopped_by="exact types",
            ended="returned",
            value=NotPlain("int"),
        ),
        Drill(
            name="os._exit(0)",
            code="import os\nos._exit(0)\ndef f(): return 1",
            stopped_by="complete reply",
            ended="error",
        ),
        Drill(
            name="sys.exit(0)",
            code="import sys\ndef f(): sys.exit(0)",
            stopped_by="complete reply",
            ended="error",
        ),
        Drill(
            name="print the protocol",
            code='print(\'{"stage": "called", "values": [["int", "0x2a"]]}\', flush=True)\n'
            "def f(): return None",
            stopped_by="a pipe of its own",
            ended="returned",
        ),
        Drill(
            name="write into the pipe of the values",
            code='import os\ndef f(): os.write(3, b\'["int", "0x2a"]\')',
            stopped_by="complete reply",
            ended="forged",
        ),
        Drill(
            name="a list of 10^9",
            code="def f(): return [0] * 10**9",
            stopped_by="rlimits",
            ended="memory",
        ),
        Drill(
            name="deep recursion",
            code="def f(): return f()",
            stopped_by="Python",
            ended="returned",
            value=Raised(error="RecursionError"),
        ),
        Drill(
            name="recursion through C",
            code="import sys\nsys.setrecursionlimit(10**9)\nclass Deep:\n"
            "    def __getattr__(self, name): return getattr(self, name + 'x')\n"
            "def f(): return Deep().x",
            stopped_by="a process of its own",
            ended="crashed",
        ),
        Drill(
            name="write to any address",
            code="import ctypes\ndef f(): ctypes.memset(1, 0, 8)",
            stopped_by="a process of its own",
            ended="crashed",
        ),
        Drill(
            name="catastrophic pattern",
            code="import re\ndef f(): return re.match('(a+)+$', 'a' * 64 + 'b')",
            stopped_by="time limit",
            ended="timeout",
        ),
        Drill(
            name="a huge power",
            code="def f(): return 10 ** 10 ** 10",
            stopped_by="time limit",
            ended="timeout",
        ),
    )


def _refused(name: str, code: str, layer: str) -> Drill:
    return Drill(name=name, code=code, stopped_by=layer, ended="returned", value=_REFUSED)
