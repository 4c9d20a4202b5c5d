"""Tables on a terminal: sweeps, a trial, a replay, checks of tokenizers, presets."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from picosweep.sweeps.store.tables import ASKED_TABLES
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.wording import short

if TYPE_CHECKING:  # both import torch, which a table of sweeps does without
    from picosweep.commands.replay import Replay
    from picosweep.pico.presets import Preset

ANSWERS: Final = tuple(name for name in ASKED_TABLES if name != "samples")
"""Tables of what a trial was asked that have too many rows for a terminal."""


def print_statuses(console: PlainConsole, statuses: list[dict[str, Any]]) -> None:
    """Print a row for each sweep, and the last incidents where there is one sweep only."""
    table = Table()
    for name in ("sweep", "now", "trials", "statuses", "best"):
        table.add_column(name, overflow="fold")
    for status in statuses:
        best = list(status["best"].items())[:2]
        told = ", ".join(f"{name} {value:.4f}" for name, (_, value) in best)
        table.add_row(
            status["sweep"],
            f"run by {status['driver']}" if status["driver"] else "not running",
            _count(status),
            ", ".join(f"{count} {name}" for name, count in status["statuses"].items()),
            f"{told} ({status['objective']})" if best else "",
        )
    console.print(table)
    if len(statuses) == 1:
        for row in statuses[0]["last_incidents"]:
            trial = f" trial {row['trial_id']}" if row["trial_id"] else ""
            told = f"{row['time']} {row['kind']}{trial}: {row['text']}"
            console.print(told, soft_wrap=True)


def _count(status: Mapping[str, Any]) -> str:
    outdated = status["num_outdated"]
    told = f" ({outdated} of an earlier spec)" if outdated else ""
    return f"{status['num_trials']}{told}"


def print_trial(console: PlainConsole, found: dict[str, Any]) -> None:
    """Print one trial: what it is, how it learnt, what was decided about it."""
    row = found["trial"]
    hyperparameters = json.loads(row["config"])
    of = f"(sweep {row['sweep']}, {row['cohort']}, seed {row['seed']})"
    told = f"  {row['architecture']}  {row['status']}  {of}"
    console.print(Text.assemble((row["trial_id"], "bold"), told))
    for part in ("model", "training", "preference"):
        if not hyperparameters.get(part):
            continue
        told = " ".join(f"{name}={short(value)}" for name, value in hyperparameters[part].items())
        console.print(f"{part}: {told}")
    console.print(
        f"{row['num_params']:,} parameters, {row['flops_per_token']:,.0f} FLOPs a token",
        style="dim",
    )
    actions = {decision["rung"]: decision["action"] for decision in found["decisions"]}
    table = Table()
    for name in ("rung", "step", "tokens", "train_loss", "val_loss", "accuracy", "bits/byte"):
        table.add_column(name, justify="right")
    table.add_column("decision")
    for report in found["reports"]:
        rung = report["rung"]
        table.add_row(
            "" if rung is None else str(rung),
            f"{report['step']:,}",
            f"{report['tokens']:,}",
            f"{report['train_loss']:.4f}",
            f"{report['val_loss']:.4f}",
            f"{report['val_accuracy']:.1%}",
            f"{report['bits_per_byte']:.3f}",
            "" if rung is None else actions.get(rung, ""),
        )
    console.print(table)
    for sample in found["samples"]:
        console.print(f"{sample['decoder']}:", style="dim", end=" ")
        console.print(repr(sample["prompt"] + sample["text"]))
    for name in ANSWERS:
        if found[name]:
            told = f"{len(found[name]):,} rows, in the report and with --json"
            console.print(f"{name}: {told}", style="dim")
    for incident in found["incidents"]:
        told = f"{incident['time']:%Y-%m-%d %H:%M:%S} {incident['kind']}: {incident['text']}"
        console.print(told)
    if row["error"]:
        console.print(f"error: {row['error']}")
    console.print(f"checkpoint: {found['checkpoint'] or 'none'}", soft_wrap=True)


def print_replay(console: PlainConsole, found: "Replay") -> None:
    """Print whether a trial came out the same again, and the first numbers that did not."""
    if found.same:
        console.print(f"the same to the last bit, over {found.num_reports} reports")
        return
    console.print(f"{len(found.differences)} numbers differ, the first of them:")
    for difference in found.differences[:5]:
        console.print(
            f"  step {difference.step} {difference.column}: "
            f"{difference.stored!r} then, {difference.replayed!r} now"
        )


def print_tokenizer_checks(console: PlainConsole, checks: Sequence[Mapping[str, Any]]) -> None:
    """Print what was found of each of a sweep's tokenizers."""
    for found in checks:
        round_trips = f"{found['num_round_trips']}/{found['num_texts']}"
        console.print(f"{found['kind']}, {found['vocab_size']:,} tokens, checked on unseen text")
        console.print(f"texts that came back unchanged  {round_trips}")
        console.print(f"words broken by false blanks    {found['num_broken_words']}")
        console.print(f"characters per token            {found['characters_per_token']:.2f}")
        console.print(f"share of the tokens in use      {found['used_fraction']:.0%}")


def print_presets(console: PlainConsole, presets: Mapping[str, "Preset"]) -> None:
    """Print a row for each preset, and what is to be known of it."""
    table = Table("preset", "architecture", "parameters", "vocabulary", "context")
    for name, preset in presets.items():
        table.add_row(
            name,
            preset.architecture,
            f"{preset.num_params:,}",
            f"{preset.vocab_size:,}",
            f"{preset.block_size:,}",
        )
    console.print(table)
    for name, preset in presets.items():
        if preset.note:
            console.print(f"{name}: {preset.note}")
