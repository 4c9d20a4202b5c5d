"""What the terminal shows when a sweep has ended."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from picosweep.commands.result import SweepResult
from picosweep.sweeps.search.ranking import Winner
from picosweep.sweeps.store.tables import setting_name
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.wording import counted, duration, short


def print_summary(console: PlainConsole, result: SweepResult) -> None:
    """Print the winner of each architecture, what the sweep cost, and where its files are."""
    winners = result.ranking.winners(result.trials)
    if winners:
        console.print(winners_table(result, winners))
        for row in (winner.row for winner in winners):
            of = row["architecture"]
            names = result.settings.get(of, ())
            told = " ".join(f"{name}={short(row[setting_name(of, name)])}" for name in names)
            console.print(Text.assemble((of, "bold"), f" {row['trial_id']}: {told}"))
    else:
        console.print("No trial has reached a validation loss yet.")
    counts = {s: sum(row["status"] == s for row in result.trials) for s in _STATUS_ORDER}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.print(f"{counted(len(result.trials), 'trial')}: {told}")
    for remark in result.remarks:
        console.print(remark)
    if result.slots:
        share = result.busy_share or 0.0
        slots = "the slot was" if result.slots == 1 else f"the {result.slots} slots were"
        console.print(
            f"{result.new_tokens:,} tokens trained in {duration(result.wall_seconds)}; "
            f"{slots} training or evaluating {share:.0%} of that time"
        )
    elif counts["failed"]:
        console.print("nothing was trained")
    else:
        console.print("nothing had to be trained: every trial is already in the results")
    console.print(f"tables  {result.folder}", soft_wrap=True)
    if result.report is not None:
        console.print(f"report  {result.report}", soft_wrap=True)


EXIT_CODES: Final[Mapping[str, int]] = {
    "completed": 0,
    "limited": 0,
    "failed": 3,
    "interrupted": 130,
}
"""What a command that ran a sweep ends with, by the sweep's status."""


def print_ending(console: PlainConsole, result: SweepResult) -> int:
    """Say why a sweep is not complete and how it goes on; return the command's exit code."""
    if result.status != "completed":
        console.print(
            Text.assemble(("not complete:", "bold"), f" {result.reason}; {result.advice}")
        )
    return EXIT_CODES[result.status]


_STATUS_ORDER = ("completed", "stopped", "cached", "diverged", "failed", "running")


def winners_table(result: SweepResult, winners: Sequence[Winner]) -> Table:
    """Return a table of one row per winner, in their order; the objective's column comes first."""
    metric = result.ranking.metric
    confirmed = any(winner.seeds for winner in winners)
    title = "best trial of each architecture"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("architecture")
    others = [name for name in _SHOWN if name != metric]
    table.add_column(metric, justify="right")
    if confirmed:
        table.add_column("fresh seeds (n)", justify="right")
    for name in others:
        table.add_column(_SHOWN[name][0], justify="right")
    for winner in winners:
        row = winner.row
        cells = [row["architecture"], f"{row[metric]:.4f}"]
        if confirmed:
            cells.append(_over_seeds(winner))
        table.add_row(*cells, *(_SHOWN[name][1].format(row[name]) for name in others))
    return table


_SHOWN: Final[Mapping[str, tuple[str, str]]] = {
    "val_loss": ("val_loss", "{:.4f}"),
    "val_accuracy": ("acc.", "{:.1%}"),
    "bits_per_byte": ("bits/byte", "{:.3f}"),
    "num_params": ("params", "{:,}"),
}
"""Columns of the winners' table: heading and format."""


def _over_seeds(winner: Winner) -> str:
    """Return the mean of the winner's objective over its fresh seeds, and how many these are."""
    return f"{winner.value:.4f} ({len(winner.seeds)})" if winner.seeds else ""
