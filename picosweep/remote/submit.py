"""Handing a sweep to a cluster, which goes on with it alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosweep.remote.files_to_send import local_files
from picosweep.remote.head import Head, find_head
from picosweep.remote.head_agent import SPEC_FILE, SWEEPS
from picosweep.remote.shell import capture, copy
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.spec.load import load_spec
from picosweep.sweeps.spec.user_code import user_modules
from picosweep.sweeps.workers.code_version import code_digest

PYTHON = "picosweep/venv/bin/python"
"""On the head, below the user's home: see `cluster.yaml`."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """Result of a submission."""

    sweep: str
    head: Head
    nodes: list[dict[str, Any]]
    """The cluster's living nodes: host, cpus, gpus."""
    state: str
    """`running`; `starting`: nothing is known yet; `ended`: it has ended already."""
    exit_code: int | None
    output: str
    """What a sweep that has ended printed."""


def submit(spec: str | Path, *, address: str = "cluster.yaml") -> Submitted:
    """Start a sweep on a cluster; it goes on without this machine.

    Args:
        spec: the sweep's YAML file. Files that it names go along.
        address: the cluster's file, or `user@host` of its head.

    Raises:
        InputError: the spec, the cluster or what is installed there cannot be used.
    """
    parsed, document = load_spec(spec)
    files = local_files(parsed, document)
    head = find_head(address)
    check_head(head)
    folder = SWEEPS / parsed.name
    ask(head, "mkdir", "-p", str(folder))
    copy(str(spec), f"head:{folder}/{SPEC_FILE}", head)
    for name in files:
        copy(f"./{name}", f"head:{folder}/", head, "--relative", "--copy-links")
    for module in user_modules(parsed):
        copy(str(module), f"head:{folder}/", head, "--copy-links", "--exclude=__pycache__")
    answer = agent(head, "start", parsed.name)
    return Submitted(
        sweep=parsed.name,
        head=head,
        nodes=answer["nodes"],
        state=answer["state"],
        exit_code=answer.get("exit_code"),
        output=answer.get("output", ""),
    )


def check_head(head: Head) -> None:
    """Check that the head has the code of this machine, and a token.

    Raises:
        InputError: it has other code or no token, or cannot be reached.
    """
    found = agent(head, "about")
    if found["code"] != code_digest():
        raise input_error(
            "the head has other code than this machine",
            where=head.address,
            found=f"{found['version']}, code {found['code']}",
            allowed=f"code {code_digest()}",
            hint="`ray up cluster.yaml` brings all nodes up to date",
        )
    if not found["token"]:
        raise input_error(
            "the head has no token for its cluster",
            where=head.address,
            hint="`ray get-auth-token --generate` there, and the same ~/.ray/auth_token on "
            "every node; cluster.yaml does it by itself",
        )


def agent(head: Head, *words: str) -> dict[str, Any]:
    """Run a command of `picosweep.remote.head_agent` on the head, and return its answer.

    Raises:
        InputError: it is not installed there, or answers that there was bad input.
    """
    output = ask(head, PYTHON, "-m", "picosweep.remote.head_agent", *words)
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    if "error" in answer:
        raise input_error(str(answer["error"]))
    return answer


def ask(head: Head, *words: str) -> str:
    """Run a command on the head that is expected to succeed, and return what it printed.

    Raises:
        InputError: it failed, or the head cannot be reached.
    """
    result = capture(head, *words)
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise input_error(
            "the head has no usable Picosweep",
            where=head.address,
            found=said[-1] if said else f"exit code {result.returncode}",
            hint="`ray up cluster.yaml` installs it into ~/picosweep on every node",
        )
    return result.stdout
