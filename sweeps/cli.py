"""The command line: `picosweep`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from sweeps.errors import InputError

DONE: Final = 0
BAD_INPUT: Final = 2
TOO_MANY_FAILED: Final = 3
INTERRUPTED: Final = 130

app = typer.Typer(
    name="picosweep",
    help="Hyperparameter sweeps for very small language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ResultsOption = Annotated[
    Path, typer.Option("--results", help="The folder in which sweeps land, one folder each.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.callback()
def _root() -> None:
    """Hyperparameter sweeps for very small language models."""


@app.command("run")
def run_command(
    spec: Annotated[Path, typer.Argument(help="A sweep's YAML file.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Run a sweep, or what is left of it, and write its report.

    The same command resumes an interrupted sweep, and extends one whose spec asks for more.
    """
    from sweeps.engine import run  # noqa: PLC0415 - seconds to import, and help should not wait
    from sweeps.spaces import build_spaces  # noqa: PLC0415
    from sweeps.spec import load_spec  # noqa: PLC0415
    from sweeps.summary import print_summary  # noqa: PLC0415

    console = Console(stderr=as_json)
    result = run(spec, results=results, console=console)
    if as_json:
        _print_json(result.session() | {"folder": result.folder, "report": result.report})
    else:
        spaces, _ = build_spaces(*load_spec(spec))
        print_summary(console, result, {name: space.searched for name, space in spaces.items()})
    if result.status != "completed":
        console.print(f"[bold]not complete:[/bold] {result.reason}; the same command resumes it")
    if result.status == "interrupted":
        sys.exit(INTERRUPTED)
    if result.status == "failed":
        sys.exit(TOO_MANY_FAILED)


@app.command("report")
def report_command(
    sweeps: Annotated[list[str], typer.Argument(help="Names of sweeps, or their folders.")],
    results: ResultsOption = Path("results"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: report.html in the folder.")
    ] = None,
) -> None:
    """Write the HTML report of one sweep, or of several in one."""
    from analysis.report import write_report  # noqa: PLC0415 - seconds to import
    from sweeps.folders import find_sweep  # noqa: PLC0415

    folders = [find_sweep(name, results) for name in sweeps]
    target = output or folders[0] / "report.html"
    Console().print(write_report(folders, target), soft_wrap=True, highlight=False)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a spec, for editors."""
    from sweeps.spec import Spec  # noqa: PLC0415

    _print_json(Spec.model_json_schema())


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")


def main() -> NoReturn:
    """Run the command line; errors in what the user gave end it with one message and code 2."""
    try:
        app(standalone_mode=True)
    except InputError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted; the same command resumes it")
        sys.exit(INTERRUPTED)
    sys.exit(DONE)


if __name__ == "__main__":
    main()
