"""The command of shipped studies: `study`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from picosweep.sweeps.errors import input_error
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.options import JsonOption, ResultsOption, print_json

if TYPE_CHECKING:  # it imports torch, which help does without
    from picosweep.studies.run import StudyResult


def add_study_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("study")(study_command)


def study_command(
    name: Annotated[
        str | None, typer.Argument(help="A study's name, or a file of your own.")
    ] = None,
    list_studies: Annotated[bool, typer.Option("--list", help="Name the studies.")] = False,
    profile: Annotated[
        Literal["small", "full"],
        typer.Option(help="`small` takes minutes on two cores, `full` a cluster."),
    ] = "small",
    results: ResultsOption = Path("results"),
    pages: Annotated[
        Path | None, typer.Option(help="Folder for the page; default: studies in the results.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="A file in place of data from a hub.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do and cost; train nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a shipped experiment, or what is left of it, and judge what is claimed of it."""
    from picosweep.studies.study import load_study, study_names  # noqa: PLC0415

    console = PlainConsole(stderr=as_json)
    if list_studies:
        for one in study_names():
            console.print(Text.assemble((one, "bold"), f": {load_study(one)[1].title}"))
        return
    if name is None:
        allowed = ", ".join(study_names())
        raise input_error("which study?", allowed=allowed, hint="--list says what each is")
    if dry_run:
        from picosweep.studies.run import study_plan  # noqa: PLC0415
        from picosweep.terminal.plan import print_plan  # noqa: PLC0415

        plans = study_plan(name, profile=profile, results=results, source=source)
        for sweep, planned in plans.items():
            console.print(Text(sweep, "bold"))
            print_plan(console, planned)
        for sweep, own in load_study(name)[1].sweeps.items():
            if sweep not in plans:
                arms = ", ".join(sorted(set(own.starts_from.values())))
                console.print(f"{sweep}: planned once {arms} is trained, from which it goes on")
        return
    from picosweep.studies.run import study  # noqa: PLC0415 - imports torch
    from picosweep.terminal.live import LiveView  # noqa: PLC0415
    from picosweep.terminal.summary import print_ending  # noqa: PLC0415

    with LiveView(console) as view:
        found = study(
            name, profile=profile, results=results, pages=pages, source=source, observer=view
        )
    if as_json and found.outcome is not None:
        print_json(
            {
                "page": found.page,
                "new_tokens": found.new_tokens,
                "claims": [asdict(claim) for claim in found.outcome.claims],
            }
        )
    else:
        print_study(console, found)
    unfinished = found.unfinished
    if unfinished is not None:
        sys.exit(print_ending(console, unfinished))


def print_study(console: PlainConsole, found: "StudyResult") -> None:
    """Print the verdict on each claim, and what was trained for it."""
    from picosweep.studies.page import told  # noqa: PLC0415

    if found.outcome is not None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=found.study.title)
        for column in ("claim", "here", "verdict"):
            table.add_column(column)
        judged = {one.claim: one for one in found.outcome.claims}
        for claim in found.study.claims:
            own = judged[claim.name]
            table.add_row(claim.text, told(own), Text(own.verdict, "bold"))
        console.print(table)
    trials = sum(len(one.trials) for one in found.sweeps.values())
    if found.new_tokens:
        console.print(
            f"{trials} trials: {found.new_tokens:,} tokens trained now, "
            f"{found.num_answered} trials answered by other sweeps"
        )
    else:
        console.print(f"{trials} trials, nothing had to be trained")
    if found.page is not None:
        console.print(f"page  {found.page}", soft_wrap=True)
