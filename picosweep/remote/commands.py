"""The commands that concern clusters: `submit` and `fetch`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from picosweep.remote.chosen import chosen_service
from picosweep.terminal.console import PlainConsole

AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="PICOSWEEP_ADDRESS",
        help="The cluster: the file that `ray up` was given, or user@host of its head.",
    ),
]
ElsewhereOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="PICOSWEEP_ADDRESS",
        help="A cluster (its file, or user@host of its head) instead of this machine.",
    ),
]
SweepArgument = Annotated[str, typer.Argument(help="A sweep's name.")]


def submit_command(
    spec: Annotated[Path, typer.Argument(help="A sweep's YAML file.")],
    address: AddressOption = "cluster.yaml",
) -> None:
    """Run a sweep on a cluster; it goes on without this machine.

    Files that the spec names go along. The same command resumes and extends, as `run` does.
    """
    from picosweep.remote.submit import submit  # noqa: PLC0415 - imports torch, to check the spec

    console = PlainConsole(soft_wrap=True)
    with console.status("asking the cluster"):
        found = submit(spec, address=address)
    hosts = ", ".join(f"{node['host']} ({_has(node)})" for node in found.nodes)
    console.print(f"{len(found.nodes)} nodes: {hosts}")
    option = "" if address == "cluster.yaml" else f" --address {address}"
    if found.state == "ended":
        console.print(found.output.rstrip())
    else:
        console.print(f"{found.sweep} is {found.state} on {found.head.target}")
        console.print(f"  picosweep status {found.sweep} --address {address}")
        console.print(f"  picosweep logs {found.sweep} --follow --address {address}")
    console.print(f"  picosweep fetch {found.sweep}{option}")
    if found.exit_code:
        sys.exit(found.exit_code)


def _has(node: dict[str, float]) -> str:
    gpus = f", {node['gpus']:g} GPUs" if node["gpus"] else ""
    return f"{node['cpus']:g} CPUs{gpus}"


def fetch_command(
    sweep: SweepArgument,
    address: AddressOption = "cluster.yaml",
    results: Annotated[
        Path, typer.Option("--results", help="The folder in which sweeps land, one folder each.")
    ] = Path("results"),
    checkpoints: Annotated[bool, typer.Option(help="Bring the trials' checkpoints, too.")] = True,
) -> None:
    """Bring the results of a submitted sweep home, also while it runs."""
    if (service := chosen_service()) is not None:
        found = service.fetch(sweep, results, checkpoints=checkpoints)
        PlainConsole(soft_wrap=True).print(found)
        return
    from picosweep.remote.fetch import fetch  # noqa: PLC0415 - pyarrow takes its time

    folder = fetch(sweep, address=address, results=results, checkpoints=checkpoints)
    PlainConsole(soft_wrap=True).print(folder)


def add_cluster_commands(app: typer.Typer) -> None:
    """Give the command line its commands for clusters."""
    app.command("submit")(submit_command)
    app.command("fetch")(fetch_command)
