"""The command that serves: `picosweep serve`."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from picosweep.terminal.options import ResultsOption
from picosweep.terminal.streams import say


def serve_command(
    results: ResultsOption = Path("results"),
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on. Others than this machine's own need the token."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8642,
    address: Annotated[
        str,
        typer.Option("--address", help="Ray cluster that sweeps join; default: one of their own."),
    ] = "",
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, help="Sweeps that run at the same time.")
    ] = 1,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="Name by which it is called, too.")
    ] = None,
    allow_files: Annotated[
        list[Path] | None,
        typer.Option("--allow-files", help="Folder whose files submitted specs may read."),
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let submitted specs import classes and run code.")
    ] = False,
    behind_tls: Annotated[
        bool, typer.Option("--behind-tls", help="A proxy in front speaks https.")
    ] = False,
    notify: Annotated[
        str,
        typer.Option(
            "--notify", help="https address that is told of ends, failures and new bests."
        ),
    ] = "",
    notify_private: Annotated[
        bool, typer.Option("--notify-private", help="It may lie in this machine's own networks.")
    ] = False,
) -> None:
    """Serve sweeps to a browser: submit, queue, watch, stop.

    Sweeps run in processes of their own and go on when the service ends.
    """
    from picosweep.service.server import serve  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(
        results, host=host, port=port, address=address, at_once=at_once,
        allow_host=allow_host or (), allow_files=allow_files or (), allow_code=allow_code,
        behind_tls=behind_tls, notify=notify, notify_private=notify_private, say=say,
    )  # fmt: skip


def add_serve_command(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("serve")(serve_command)
