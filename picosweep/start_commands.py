"""The commands that one begins with: `init`, `explain`, `schema`, `cluster-config`."""

import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.padding import Padding
from rich.text import Text

from picosweep.terminal.console import PlainConsole
from picosweep.terminal.options import JsonOption, ResultsOption, print_json

if TYPE_CHECKING:
    from picosweep.start.explain import Explained
    from picosweep.start.settings import Group, Setting

INDENT: Final = 4
LINK: Final = re.compile(r"\[([^]]*)\]\([^)]*\)")
"""A link of the reference pages, which a terminal shows the text of."""


def add_start_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("init")(init_command)
    app.command("explain")(explain_command)
    app.command("schema")(schema_command)
    app.command("cluster-config")(cluster_config_command)


def init_command(
    source: Annotated[
        str,
        typer.Argument(help="A file, a folder, hf:NAME, or a source that comes with Python."),
    ] = "stdlib",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: named after the source, here.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.1, help="How long the sweep may take on this machine, about.")
    ] = 10,
    text_field: Annotated[
        str, typer.Option(help="Where the text is in a record of JSON, CSV or Parquet.")
    ] = "text",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a spec that is there already.")
    ] = False,
    results: ResultsOption = Path("results"),
) -> None:
    """Look at your data and at this machine, and write a first spec that fits both."""
    from picosweep.start.first_spec import init  # noqa: PLC0415

    console = PlainConsole(soft_wrap=True)
    with console.status("reading the data"):
        found = init(
            source,
            output=output,
            text_field=text_field,
            minutes=minutes,
            overwrite=overwrite,
            results=results,
        )
    for remark in found.remarks():
        console.print(remark)
    console.print(Text.assemble("wrote ", (str(found.path), "bold")))
    console.print(f"next  picosweep run {shlex.quote(str(found.path))} --dry-run")


def explain_command(
    topic: Annotated[
        str | None,
        typer.Argument(help="A section, an architecture or a setting: data, lstm, learning_rate."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a setting of a spec is: its type, default, range and meaning."""
    from picosweep.start.explain import explain  # noqa: PLC0415
    from picosweep.start.settings import architecture_names, groups  # noqa: PLC0415

    console = PlainConsole()
    if topic is None:
        if as_json:
            print_json([asdict(group) for group in groups()])
            return
        _print_contents(console, groups())
        return
    found = explain(topic)
    if as_json:
        print_json(
            [
                {
                    "group": one.group.name,
                    "title": one.group.title,
                    "settings": [asdict(setting) for setting in one.settings],
                }
                for one in found
            ]
        )
        return
    for number, one in enumerate(found):
        if number:
            console.print()
        _print_explained(console, one)
    if topic in architecture_names():
        console.print("\nAll architectures have those of training, too: picosweep explain training")


def schema_command() -> None:
    """Print the JSON Schema of a spec, for editors."""
    from picosweep.start.settings import read_schema  # noqa: PLC0415

    print_json(read_schema())


def cluster_config_command(
    kind: Annotated[
        str, typer.Argument(help="local (your own hosts, over ssh), aws, gcp or kuberay.")
    ] = "local",
) -> None:
    """Print a commented cluster file for `ray up`: what to edit is marked EDIT.

    The nodes get Picosweep as it is installed here.
    """
    from picosweep.start.cluster_file import cluster_config  # noqa: PLC0415

    sys.stdout.write(cluster_config(kind))


def _print_contents(console: PlainConsole, groups: "tuple[Group, ...]") -> None:
    for title, sections in (("Sections of a spec", True), ("Hyperparameters", False)):
        console.print(Text(title, "bold"))
        for group in groups:
            if group.is_section is sections:
                name = group.name or "top of the spec"
                keys = ", ".join(setting.name for setting in group.settings)
                console.print(
                    Padding(
                        Text.assemble((name, "cyan"), f"  {keys}"), (0, 0, 0, INDENT), expand=False
                    )
                )
    console.print("More of one of them, or of any key: picosweep explain NAME")


def _print_explained(console: PlainConsole, found: "Explained") -> None:
    group = found.group
    title = group.title.replace("`", "")
    if group.name and title != group.name:
        title = f"{group.name}: {title}"
    console.print(Text(title, "bold"))
    for setting in found.settings:
        console.print(Text.assemble((setting.name, "cyan"), f"  {_kind(setting)}"))
        meaning = Text(LINK.sub(r"\1", setting.meaning).replace("`", ""))
        console.print(Padding(meaning, (0, 0, 0, INDENT), expand=False))


def _kind(setting: "Setting") -> str:
    """Return a setting's type, range and default in a line."""
    kind = ", ".join(filter(None, (setting.type, setting.range))).replace("`", "")
    default = setting.default.strip("`*")
    if default == "must be given":
        return f"{kind}; must be given"
    return f"{kind}; default {default}" if default else kind
