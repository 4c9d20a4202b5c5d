"""The commands that ask trained models: `generate`, `evaluate`, `probe`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from picosweep.terminal.answers import print_figures
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.options import (
    JsonOption,
    ResultsOption,
    TrialArgument,
    TrialArguments,
    print_json,
)
from picosweep.terminal.streams import say

if TYPE_CHECKING:  # it imports torch, which help does without
    from picosweep.analysis.page.figure import Figure
    from picosweep.trained.answers import Answered

PageOption = Annotated[
    Path | None, typer.Option("--page", help="Write the same as one HTML page here, too.")
]


def add_model_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("generate")(generate_command)
    app.command("evaluate")(evaluate_command)
    app.command("probe")(probe_command)


def generate_command(
    trial: TrialArgument,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="May be given several times.")
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Most tokens to write.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.75,
    top_k: Annotated[int | None, typer.Option(min=1)] = None,
    top_p: Annotated[float, typer.Option(help="Above 0, at most 1.")] = 1.0,
    repetition_penalty: Annotated[float, typer.Option(help="1 is none.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    table: Annotated[bool, typer.Option("--table", help="All decoders side by side.")] = False,
    neighbours: Annotated[
        bool, typer.Option("--neighbours", help="Say what each token is near to.")
    ] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i")] = False,
    results: ResultsOption = Path("results"),
) -> None:
    """Let a trained model write."""
    from picosweep.terminal import writing  # noqa: PLC0415
    from picosweep.trained.generate import LoadedModel, make_decoding  # noqa: PLC0415 - imports torch

    decoding = make_decoding(
        temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=repetition_penalty
    )
    console = PlainConsole()
    writer = LoadedModel(trial, results)
    if writer.remark:
        say(writer.remark)
    prompts = prompt or [""]
    if table:
        writing.print_samples(console, writer.samples(prompts, num_tokens=tokens, seed=seed))
    elif interactive:
        writing.write_interactively(writer, console, decoding, num_tokens=tokens, seed=seed)
    else:
        for text in prompts:
            writing.write_once(writer, console, text, decoding, num_tokens=tokens, seed=seed)
    if neighbours:
        for text in prompts:
            writing.print_neighbours(console, writer.neighbours(text))


def evaluate_command(
    trials: TrialArguments,
    suite: Annotated[
        Literal["text", "code"],
        typer.Option(help="text for any model; code for one of Python, whose functions are run."),
    ] = "text",
    text: Annotated[
        list[Path] | None,
        typer.Option("--text", help="A file to take the perplexity of, for text; several may be."),
    ] = None,
    sandbox: Annotated[
        Literal["auto", "none"],
        typer.Option(help="none runs what models write with your rights: in a throw-away machine."),
    ] = "auto",
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Compare with a saved evaluation.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Save the evaluation, to be compared with.")
    ] = None,
    page: PageOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Say what trained models can do: suites of scored items, beside what knows nothing."""
    from picosweep.trained import evaluate as evaluating  # noqa: PLC0415 - imports torch

    before = evaluating.read_evaluation(baseline, suite) if baseline is not None else None
    console = PlainConsole(stderr=as_json)
    with console.status("reading the trial") as status:
        found = evaluating.evaluate(
            *trials,
            suite=suite,
            texts=tuple(text or ()),
            sandbox=sandbox,
            seed=seed,
            results=results,
            progress=status.update,
        )
    changes = [] if before is None else evaluating.score_changes(before, found)
    _show(console, found, changes, page, as_json=as_json)
    if save is not None:  # last: whatever becomes of the file, the scores have been told
        evaluating.save_evaluation(found, save)


def probe_command(
    trials: TrialArguments,
    kind: Annotated[
        Literal["heads", "attention", "embedding", "neurons"],
        typer.Option(
            help="What heads do and are worth; what they look at in a prompt; what tokens are; "
            "which neurons tell groups of texts apart."
        ),
    ] = "heads",
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", help="Text to look at, for --kind attention.")
    ] = "",
    groups: Annotated[
        Path | None,
        typer.Option(
            "--groups", help="JSON lines with label and text, for --kind neurons; else sources."
        ),
    ] = None,
    page: PageOption = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Look into trained models: attention heads, token vectors, neurons."""
    from picosweep.trained.probe import probe  # noqa: PLC0415 - imports torch

    console = PlainConsole(stderr=as_json)
    with console.status("reading the trial") as status:
        found = probe(
            *trials,
            kind=kind,
            prompt=prompt,
            groups=groups,
            results=results,
            progress=status.update,
        )
    _show(console, found, [], page, as_json=as_json)


def _show(
    console: PlainConsole,
    found: "Answered",
    more: "list[Figure]",
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print answers, and write them as a page where one is asked for."""
    from picosweep.analysis.asked.figures import figures_of, write_answers_page  # noqa: PLC0415

    asked = found.asked
    figures = [*more, *figures_of(asked)]
    for remark in found.remarks:
        say(remark)
    if as_json:
        print_json(
            {
                "trials": found.trials,
                **found.rows,
                "sentences": [p.sentence for figure in figures for p in figure.panels],
            }
        )
    else:
        print_figures(console, figures)
    if page is not None:
        write_answers_page(page, asked, figures)
        console.print(page, soft_wrap=True)
