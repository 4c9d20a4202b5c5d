"""Commands and files over ssh, with errors that say what to do."""

import shlex
import subprocess
from pathlib import Path
from typing import Final

from picosweep.remote.head import Head
from picosweep.sweeps.errors import InputError, input_error

CONNECTION_FAILED: Final = 255
"""The exit code by which ssh says that it, not the command, failed (ssh(1))."""

_OPTIONS: Final = (
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=15",
    "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3",
)  # fmt: skip


def ssh(head: Head, command: str) -> list[str]:
    """Return the command line that runs `command` in the head's home folder."""
    return ["ssh", *_OPTIONS, *head.options, head.target, command]


def capture(head: Head, *words: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command on the head.

    Args:
        head: the machine to run it on.
        words: the command and its arguments, unquoted.
        text: what it reads from its standard input; None for nothing.

    Raises:
        InputError: the head could not be reached.
    """
    result = _call(ssh(head, shlex.join(words)), text)
    if result.returncode == CONNECTION_FAILED:
        raise unreachable(head, result.stderr)
    return result


def unreachable(head: Head, said: str) -> InputError:
    """Return the error for a user whose head does not answer; `said` is what ssh printed."""
    return input_error(
        f"cannot reach the head {head.target}",
        where=head.address,
        found=said.strip().splitlines()[-1] if said.strip() else "ssh failed without a word",
        hint="does `ssh` with this user and key get there? is the host up?",
    )


def copy(source: str, target: str, head: Head, *options: str) -> None:
    """Copy files that the target lacks or has in another version, each as a whole.

    Args:
        source: path as rsync reads it, with `head:` in front where it is on the head.
        target: path to copy to, with `head:` in front where it is on the head.
        head: the machine that `head:` stands for.
        options: more arguments for rsync.

    Raises:
        InputError: rsync failed.
    """
    remote = shlex.join(["ssh", *_OPTIONS, *head.options])
    ends = [end.replace("head:", f"{head.target}:", 1) for end in (source, target)]
    result = _call(["rsync", "-a", "--rsh", remote, *options, *ends])
    if result.returncode == CONNECTION_FAILED:
        raise unreachable(head, result.stderr)
    if result.returncode:
        raise input_error(
            f"rsync failed: {result.stderr.strip() or result.returncode}", where=head.address
        )


def follow(head: Head, command: str) -> int:
    """Run a command on the head with this terminal as its output, until it or the user ends it."""
    command_line = ssh(head, command)
    with subprocess.Popen(command_line, stdin=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            return 0


def _call(command: list[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - ssh and rsync, their arguments quoted
            command,
            input=text,
            stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise input_error(
            f"{command[0]} is not installed on this machine",
            where=str(Path.cwd()),
            hint=f"Debian: apt install {'openssh-client' if command[0] == 'ssh' else command[0]}",
        ) from error
