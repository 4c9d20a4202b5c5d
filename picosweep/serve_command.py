"""The command that serves: `picosweep serve`."""

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from picosweep.terminal.options import ResultsOption
from picosweep.terminal.streams import say

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _AsJson(logging.Formatter):
    """One object a line, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as JSON."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told)


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
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Log a JSON object a line.")
    ] = False,
) -> None:
    """Serve sweeps to a browser: submit, queue, watch, stop.

    Sweeps run in processes of their own and go on when the service ends.
    """
    from picosweep.service.server import serve  # noqa: PLC0415

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson() if json_logs else logging.Formatter(FORMAT))
    logging.getLogger().addHandler(handler)
    serve(
        results, host=host, port=port, address=address, at_once=at_once,
        allow_host=allow_host or (), allow_files=allow_files or (), allow_code=allow_code,
        behind_tls=behind_tls, notify=notify, notify_private=notify_private, say=say,
    )  # fmt: skip


def add_serve_command(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("serve")(serve_command)
