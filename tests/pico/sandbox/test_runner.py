"""Programs that nobody has read: confined, timed, and believed only where they return values."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from picosweep.pico.sandbox.confinement import CREATE_RULESET, filter_program
from picosweep.pico.sandbox.drills import drills
from picosweep.pico.sandbox.runner import (
    Raised,
    Sandbox,
    SandboxUnavailableError,
    decode,
    equal,
)

DRILL = """
import json, os, struct, sys
from contextlib import closing
from picosweep.pico.sandbox import runner
from picosweep.pico.sandbox.confinement import install_filter
from picosweep.pico.sandbox.drills import run_drills
runner.helper_program()  # read while this user may
user, refused, error = map(int, sys.argv[1:4])
sys._base_executable = sys.argv[4]
if user:
    os.setgroups([]), os.setgid(user), os.setuid(user)
if refused:
    # As on a kernel that lacks it: load the number, skip one unless it is this, fail, allow.
    steps = (32, 0, 0, 0), (21, 0, 1, refused), (6, 0, 0, 0x50000 | error), (6, 0, 0, 0x7fff0000)
    install_filter(b"".join(struct.pack("=HBBI", *step) for step in steps))
try:
    with closing(runner.Sandbox()) as sandbox:
        rows = [[d.name, d.holds(o), o.ended, o.detail] for d, o in run_drills(sandbox)]
        children = open(f"/proc/{sandbox.helper}/task/{sandbox.helper}/children").read()
    print(json.dumps([rows, children, sandbox.layers]))
except runner.SandboxUnavailableError as reason:
    print(json.dumps([str(reason)]))
"""
NOBODY = 65534


def drill(*, user: int = 0, refused: int = 0, error: int = 0) -> list[object]:
    """What a process of a user on a kernel that may lack a system call says of the drills."""
    python = interpreter_of_all() if user else getattr(sys, "_base_executable", "")
    done = subprocess.run(
        [sys.executable, "-c", DRILL, str(user), str(refused), str(error), python],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[object] = json.loads(done.stdout)
    return found


def interpreter_of_all() -> str:
    """An interpreter that every user may start; the tests' own may lie in somebody's home."""
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        if not subprocess.run(["test", "-x", path], user=NOBODY, check=False).returncode:
            return path
    pytest.skip("no interpreter here that another user may start")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with closing(Sandbox()) as made:
        yield made


@pytest.mark.parametrize("user", [0, NOBODY])
def test_hostile_programs_are_stopped(user: int) -> None:
    """Each as it should be, for this user and for one without any right; nothing is left."""
    if user and os.geteuid():
        pytest.skip("only root can become another user")
    rows, children, layers = drill(user=user)
    assert isinstance(rows, list)
    assert len(rows) > 30
    assert [row for row in rows if not row[1]] == []
    assert children == ""
    assert str(layers).startswith("rlimits, landlock ")


HARMLESS = {"secret file", "connect to a listener", "list a folder", "write outside"}
"""Drills that do no harm where nothing is in their way."""


def test_the_drills_can_fail(tmp_path: Path) -> None:
    """Without confinement the same programs read the secret and open the socket."""
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    with (
        closing(Sandbox("none")) as open_house,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        assert open_house.layers == "none"
        port = listener.getsockname()[1]
        tried = drills(secret=secret, outside=tmp_path / "outside", port=port)
        failed = {
            one.name
            for one in tried
            if one.name in HARMLESS
            and not one.holds(open_house.call(one.code, "f", [[]], seconds=20))
        }
    assert failed == HARMLESS


def test_without_landlock_nothing_runs() -> None:
    """The message says what is missing, and where it would run."""
    (said,) = drill(refused=CREATE_RULESET, error=errno.ENOSYS)
    assert "cannot be confined here (Landlock (landlock_create_ruleset): ENOSYS)" in str(said)
    assert "Linux 5.13" in str(said)
    assert "--sandbox none" in str(said)
    (said,) = drill(refused=157, error=errno.EINVAL)  # prctl, by which filters are set
    assert "cannot be confined here (prctl: EINVAL)" in str(said)


def test_values_come_back_with_their_exact_types(sandbox: Sandbox) -> None:
    """Also large whole numbers, nested ones, odd floats and odd texts."""
    value = (
        "[None, True, -3, 1.5, float('inf'), 'a\\ud800', (1, [2]), {1: 'x', (2,): None}, 7**4000]"
    )
    outcome = sandbox.call(f"def f(x): return {value}", "f", [[1]], seconds=20)
    expected = [
        None, True, -3, 1.5, float("inf"), "a\ud800", (1, [2]), {1: "x", (2,): None}, 7**4000,
    ]  # fmt: skip
    assert outcome.ended == "returned"
    assert equal(outcome.values[0], expected)
    assert outcome.parses


@pytest.mark.parametrize(
    ("found", "expected"),
    [(1, True), (True, 1), (1, 1.0), ([1], (1,)), ("1", 1), (None, 0), ({1: 1}, {1: 1.0})],
)
def test_another_type_is_another_value(found: object, expected: object) -> None:
    """Though Python calls most of them equal."""
    assert not equal(found, expected)


def test_floats_are_equal_to_a_millionth() -> None:
    """And no number is equal to a number that is none, which is equal to itself here."""
    assert equal(0.1 + 0.2, 0.3)
    assert not equal(0.3001, 0.3)
    assert equal(float("nan"), float("nan"))
    assert not equal(float("nan"), 0.0)


def test_a_call_that_raises_leaves_the_others(sandbox: Sandbox) -> None:
    """Each call has its own value."""
    outcome = sandbox.call("def f(a, b): return a / b", "f", [[1, 2], [1, 0]], seconds=20)
    assert outcome.values == (0.5, Raised(error="ZeroDivisionError"))


@pytest.mark.parametrize(
    ("code", "ended", "detail", "parses"),
    [
        ("def f(:", "error", "SyntaxError", False),
        ("def f(): return '\0'", "error", "SyntaxError", False),
        ("(" * 3000 + ")" * 3000, "error", "SyntaxError", False),
        ("1 / 0", "error", "ZeroDivisionError", True),
        ("def g(): pass", "error", "KeyError", True),
    ],
)
def test_what_cannot_be_called_says_why(
    sandbox: Sandbox, code: str, ended: str, detail: str, parses: bool
) -> None:
    """Whether it is Python at all is told apart."""
    outcome = sandbox.call(code, "f", [[]], seconds=20)
    assert (outcome.ended, outcome.detail, outcome.parses) == (ended, detail, parses)
    assert sandbox.parses(code) == parses


def test_malformed_replies_are_not_believed() -> None:
    """Only the forms that values are written in can be read."""
    for kind, content in (("bool", 1), ("str", 2), ("int", 3), ("set", []), ("list", 4)):
        with pytest.raises((ValueError, TypeError)):
            decode(kind, content)


def test_the_helper_that_dies_is_replaced(sandbox: Sandbox) -> None:
    """The program that was asked for has no score then; the next one runs."""
    assert sandbox.helper is not None
    os.kill(sandbox.helper, signal.SIGKILL)
    lost = sandbox.call("def f(): return 1", "f", [[]], seconds=20)
    assert lost.ended == "infrastructure"
    assert sandbox.call("def f(): return 1", "f", [[]], seconds=20).values == (1,)


def test_nothing_outlives_the_process_that_asked(tmp_path: Path) -> None:
    """Killed in the middle of a program: the helper and the program end, too."""
    code = (
        "from picosweep.pico.sandbox.runner import Sandbox\n"
        "sandbox = Sandbox()\n"
        "print(sandbox.helper, flush=True)\n"
        "sandbox.call('import time\\ntime.sleep(600)', 'f', [[]], seconds=600)\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    helper = int(asking.stdout.readline())
    children = Path(f"/proc/{helper}/task/{helper}/children")
    wait_until(lambda: bool(children.read_text()))
    child = int(children.read_text())
    asking.kill()
    asking.wait()
    asking.stdout.close()
    wait_until(lambda: not runs(helper) and not runs(child))


def wait_until(holds: object) -> None:
    """Wait for something, half a minute at most."""
    assert callable(holds)
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(process: int) -> bool:
    """Whether a process runs; one that has ended and not been waited for does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filters_allow_no_call_that_leaves_the_process(machine: str) -> None:
    """By number: no process, thread, socket, signal, tracing or limit is made by any of them."""
    dangerous = {
        "x86_64": {41, 42, 53, 56, 57, 58, 59, 62, 72, 101, 157, 160, 200, 234, 302, 322, 425, 435},
        "aarch64": {25, 117, 129, 130, 131, 164, 167, 198, 203, 220, 221, 261, 281, 425, 435},
    }
    program = filter_program(machine)
    numbers = {
        int.from_bytes(program[place + 4 : place + 8], "little")
        for place in range(0, len(program), 8)
        if program[place] == 0x15
    }
    assert len(numbers) > 40
    assert not numbers & dangerous[machine]


def test_an_unknown_machine_is_refused() -> None:
    """Numbers of system calls differ, and guessing them would let others through."""
    with pytest.raises(OSError, match="no filter of system calls for riscv64"):
        filter_program("riscv64")


def test_the_reason_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that callers can go on without it."""
    monkeypatch.setattr("picosweep.pico.sandbox.runner.helper_program", lambda: "raise SystemExit")
    with pytest.raises(SandboxUnavailableError, match="the helper process did not answer"):
        Sandbox()
