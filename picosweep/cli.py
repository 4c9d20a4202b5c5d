"""The command line: `picosweep`."""

import atexit
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn

import typer

from picosweep.early_start import start_ray_early, stop_ray_started_early
from picosweep.model_commands import add_model_commands
from picosweep.remote.chosen import chosen_service, use_server
from picosweep.remote.commands import ElsewhereOption, add_cluster_commands
from picosweep.serve_command import add_serve_command
from picosweep.start_commands import add_start_commands
from picosweep.study_commands import add_study_commands
from picosweep.sweeps.errors import InputError, input_error
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.options import JsonOption, ResultsOption, TrialArgument, print_json
from picosweep.terminal.streams import failure, prepare_streams, say

DONE: Final = 0
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

app = typer.Typer(
    name="picosweep",
    help="Hyperparameter sweeps for very small language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - no other command needs it

        sys.stdout.write(f"picosweep {version('picosweep')}\n")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    server: Annotated[
        str,
        typer.Option(
            "--server",
            envvar="PICOSWEEP_SERVER",
            help="Address of a service (see `serve`) that does run, status, logs, stop and fetch.",
        ),
    ] = "",
) -> None:
    """Hyperparameter sweeps for very small language models."""
    use_server(server)


add_start_commands(app)


@app.command("run")
def run_command(
    spec: Annotated[Path, typer.Argument(help="A sweep's YAML file, or `demo`, which is shipped.")],
    results: ResultsOption = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do and cost; train nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try trials that failed before again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a sweep, or what is left of it, and write its report.

    The same command resumes an interrupted sweep, and extends one whose spec asks for more.
    """
    from picosweep.start.shipped import find_spec  # noqa: PLC0415

    spec = find_spec(spec)
    if (service := chosen_service()) is not None:
        from picosweep.remote.served import run_there  # noqa: PLC0415

        sys.exit(
            run_there(service, spec, dry_run=dry_run, retry_failed=retry_failed, as_json=as_json)
        )
    if dry_run:
        from picosweep.commands.plan import plan  # noqa: PLC0415
        from picosweep.terminal.plan import print_plan  # noqa: PLC0415

        print_plan(PlainConsole(), plan(spec, results=results))
        return
    start_ray_early(spec, results)
    from picosweep.commands.logs import seconds_since_process_start  # noqa: PLC0415
    from picosweep.commands.run import run  # noqa: PLC0415 - takes seconds, and help must not wait
    from picosweep.terminal.live import LiveView  # noqa: PLC0415
    from picosweep.terminal.summary import print_ending, print_summary  # noqa: PLC0415

    console = PlainConsole(stderr=as_json)
    with LiveView(console) as view:
        before = seconds_since_process_start()
        result = run(
            spec,
            results=results,
            retry_failed=retry_failed,
            observer=view,
            seconds_before=before,
        )
    if as_json:
        print_json(result.session() | {"folder": result.folder, "report": result.report})
    else:
        print_summary(console, result)
    sys.exit(print_ending(console, result))


@app.command("report")
def report_command(
    sweeps: Annotated[list[str], typer.Argument(help="Names of sweeps, or their folders.")],
    results: ResultsOption = Path("results"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: report.html in the folder.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Read two sweeps as before and after.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option("--images", help="Write every chart as PNG and SVG here, too.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw the images on a dark ground.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Rewrite the page while the sweep runs.")
    ] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between looks, with --watch.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Write the HTML report of one sweep, or of several in one."""
    from picosweep.commands.report import report, watch_report  # noqa: PLC0415 - seconds to import

    console = PlainConsole(stderr=as_json, soft_wrap=True)
    if watch:
        if images or as_json:
            raise input_error("--watch writes the page alone, without --images and --json")
        console.print("Watching; Ctrl-C ends it.")
        try:
            watch_report(
                *sweeps,
                output=output,
                compare=compare,
                seconds=every,
                written=console.print,
                results=results,
            )
        except KeyboardInterrupt:
            console.print("No longer watching.")
        return
    mode: Literal["light", "dark"] = "dark" if dark else "light"
    found = report(
        *sweeps, output=output, compare=compare, images=images, mode=mode, results=results
    )
    if as_json:
        print_json(found.summary | {"report": found.report, "images": found.images})
        return
    console.print(found.report)
    if images:
        console.print(f"{len(found.images)} images in {images}")


@app.command("status")
def status_command(
    sweep: Annotated[str | None, typer.Argument(help="A sweep; all of them by default.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
    address: ElsewhereOption = None,
) -> None:
    """Say how far sweeps are, and whether they are running."""
    if (service := chosen_service()) is not None:
        from picosweep.remote.served import status_there  # noqa: PLC0415

        status_there(service, sweep, as_json=as_json)
        return
    _if_elsewhere(address, "status", *filter(None, [sweep]), *(["--json"] if as_json else []))
    from picosweep.commands.status import status  # noqa: PLC0415
    from picosweep.terminal.tables import print_statuses  # noqa: PLC0415

    found = status(sweep, results=results)
    if as_json:
        print_json(found)
    else:
        print_statuses(PlainConsole(), found)


@app.command("stop")
def stop_command(
    sweep: Annotated[str, typer.Argument(help="A sweep's name, or its folder.")],
    trial: Annotated[
        str | None, typer.Option("--trial", help="Only this trial, by its id or a beginning of it.")
    ] = None,
    results: ResultsOption = Path("results"),
    address: ElsewhereOption = None,
) -> None:
    """Stop a running sweep, to be resumed by the command that started it, or one of its trials."""
    if (service := chosen_service()) is not None:
        PlainConsole().print(service.stop(sweep, trial), soft_wrap=True)
        return
    _if_elsewhere(address, "stop", sweep, *(["--trial", trial] if trial else []))
    from picosweep.commands.stop import stop  # noqa: PLC0415

    said = stop(sweep, trial=trial, results=results)
    PlainConsole().print(said, soft_wrap=True)


@app.command("export")
def export_command(
    sweep: Annotated[str, typer.Argument(help="A sweep's name, or its folder.")],
    to: Annotated[str, typer.Option("--to", help="csv, tensorboard, mlflow, optuna or wandb.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="An empty folder of your own.")
    ] = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Write a sweep in the format of another tool, offline."""
    from picosweep.commands.export import export  # noqa: PLC0415
    from picosweep.exports.registry import opening_command  # noqa: PLC0415

    target = export(sweep, to=to, output=output, results=results)
    console = PlainConsole(soft_wrap=True)
    console.print(target)
    if opener := opening_command(to, target):
        console.print(f"open  {opener}")


@app.command("logs")
def logs_command(
    sweep: Annotated[str, typer.Argument(help="A sweep's name, or its folder.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the sweep ends.")
    ] = False,
    results: ResultsOption = Path("results"),
    address: ElsewhereOption = None,
) -> None:
    """Print what a sweep's last driver has logged."""
    if (service := chosen_service()) is not None:
        for line in service.logs(sweep, follow=follow):
            sys.stdout.write(line)
            sys.stdout.flush()
        return
    if address is not None:
        from picosweep.remote.fetch import show_logs  # noqa: PLC0415

        sys.exit(show_logs(address, sweep, keep_on=follow))
    from picosweep.commands.logs import logs  # noqa: PLC0415

    for line in logs(sweep, results=results, follow=follow):
        sys.stdout.write(line)
        sys.stdout.flush()


@app.command("show")
def show_command(
    trial: TrialArgument, results: ResultsOption = Path("results"), as_json: JsonOption = False
) -> None:
    """Show everything that is known of one trial."""
    from picosweep.commands.status import show  # noqa: PLC0415
    from picosweep.terminal.tables import print_trial  # noqa: PLC0415

    found = show(trial, results=results)
    if as_json:
        print_json(found)
    else:
        print_trial(PlainConsole(), found)


@app.command("suggest")
def suggest_command(
    sweep: Annotated[str, typer.Argument(help="A sweep's name, or its folder.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Say what to change in a sweep's spec to learn what it cannot say yet, and what that costs."""
    from picosweep.commands.suggest import suggest  # noqa: PLC0415 - imports torch
    from picosweep.terminal.next_steps import print_next_steps  # noqa: PLC0415

    console = PlainConsole(stderr=as_json)
    with console.status("reading the sweep"):
        steps = suggest(sweep, results=results)
    if as_json:
        print_json([asdict(step) for step in steps])
    else:
        print_next_steps(console, sweep, steps)


@app.command("replay")
def replay_command(
    trial: TrialArgument, results: ResultsOption = Path("results"), as_json: JsonOption = False
) -> None:
    """Train one trial again from its row and say whether every number is the same."""
    from picosweep.commands.replay import replay  # noqa: PLC0415 - imports torch
    from picosweep.terminal.tables import print_replay  # noqa: PLC0415

    console = PlainConsole(stderr=as_json)
    with console.status("training it again"):
        found = replay(trial, results=results)
    if as_json:
        print_json({"trial_id": found.trial_id, "same": found.same, **asdict(found)})
    else:
        print_replay(console, found)
    if not found.same:
        sys.exit(1)


@app.command("tokenizer")
def tokenizer_command(
    sweep: Annotated[str, typer.Argument(help="A sweep's name, or its folder.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Say whether a sweep's tokenizers do their work."""
    from picosweep.commands.tokenizer import tokenizer_checks  # noqa: PLC0415
    from picosweep.terminal.tables import print_tokenizer_checks  # noqa: PLC0415

    checks = tokenizer_checks(sweep, results=results)
    if as_json:
        print_json(checks)
    else:
        print_tokenizer_checks(PlainConsole(), checks)


@app.command("presets")
def presets_command() -> None:
    """List the models that go by a name, with their true parameter counts."""
    from picosweep.pico.presets import PRESETS  # noqa: PLC0415 - imports torch
    from picosweep.terminal.tables import print_presets  # noqa: PLC0415

    print_presets(PlainConsole(), PRESETS)


add_cluster_commands(app)
add_model_commands(app)
add_study_commands(app)
add_serve_command(app)


def _if_elsewhere(address: str | None, *words: str) -> None:
    """Run this command on a cluster's head, and end with its exit code, where one is named."""
    if address is not None:
        from picosweep.remote.fetch import on_head  # noqa: PLC0415

        sys.exit(on_head(address, *words))


def main() -> NoReturn:
    """Run the command line and end the process."""
    code, interrupted = command_line()
    if not interrupted:
        stop_ray_started_early()
        atexit._run_exitfuncs()
    # Python would wait for threads, of which one that prepares data in a library cannot be stopped,
    # and take all modules apart: a second, once torch is among them.
    os._exit(code)


def command_line() -> tuple[int, bool]:
    """Run the command line; errors in what the user gave end it with one message and code 2.

    Returns:
        the exit code, and whether the command was interrupted.
    """
    prepare_streams()
    interrupted = False
    try:
        code = _run()
    except (SystemExit, KeyboardInterrupt) as ending:
        code = _code_of(ending)
        interrupted = _comes_from_interrupt(ending)
    if interrupted:
        say("interrupted; give the command again to go on")
    if reason := failure(sys.stdout):
        say(f"error: the output could not be written: {reason}")
        code = code or BAD_INPUT
    failure(sys.stderr)
    return code, interrupted


def _run() -> int:
    """Run the command that the arguments name; return the exit code."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        say("error: the current folder no longer exists; go to one that does")
        return BAD_INPUT
    if here not in sys.path:
        # A user's own model is imported from where the user is; installed packages come first.
        sys.path.append(here)
    try:
        app(standalone_mode=True)
    except InputError as error:
        say(f"error: {error}")
        return BAD_INPUT
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        named = error.filename2 or error.filename
        say(f"error: {os.fsdecode(named)}: {error.strerror}")
        return BAD_INPUT
    return DONE


def _code_of(ending: SystemExit | KeyboardInterrupt) -> int:
    if isinstance(ending, KeyboardInterrupt):
        return INTERRUPTED
    return ending.code if isinstance(ending.code, int) else int(ending.code is not None)


def _comes_from_interrupt(error: BaseException | None) -> bool:
    """Return whether Ctrl-C led to an exception: Typer makes another one of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


if __name__ == "__main__":
    main()
