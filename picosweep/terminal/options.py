"""Options that several commands have, and JSON on standard output."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

ResultsOption = Annotated[
    Path,
    typer.Option(
        "--results",
        help="The folder in which sweeps land, one folder each; or s3://bucket/folder.",
    ),
]
TrialArgument = Annotated[str, typer.Argument(help="A trial's id, or a beginning of it.")]
TrialArguments = Annotated[list[str], typer.Argument(help="Trials' ids, or beginnings of them.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def print_json(content: Any) -> None:
    """Print a value as JSON; what is not plain, as text."""
    sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")
