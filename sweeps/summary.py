"""What the terminal says when a sweep has ended."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from sweeps.engine import SweepResult
from sweeps.live import duration

Row = Mapping[str, Any]


def print_summary(console: Console, result: SweepResult) -> None:
    """The winner of each architecture, what it cost, and where everything lies."""
    settings = result.settings
    winners = [winner for name in settings if (winner := best_trial(result.trials, name))]
    if winners:
        console.print(winners_table(result, winners, settings))
        for row in sorted(winners, key=lambda row: row["val_loss"]):
            names = settings[row["architecture"]]
            told = " ".join(f"{name}={short(row[name])}" for name in names)
            name = f"[bold]{row['architecture']}[/bold]"
            console.print(f"{name} {row['trial_id']}: {told}", highlight=False)
    else:
        console.print("No trial has reached a validation loss yet.")
    counts = {s: sum(row["status"] == s for row in result.trials) for s in _STATUS_ORDER}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.print(f"{len(result.trials)} trials: {told}")
    if result.slots:
        share = result.busy_share or 0.0
        console.print(
            f"{result.new_tokens:,} tokens trained in {duration(result.wall_seconds)}; "
            f"the {result.slots} slots were training or evaluating {share:.0%} of that time"
        )
    else:
        console.print("nothing had to be trained: every trial is already in the results")
    console.print(f"tables  {result.folder}", soft_wrap=True, highlight=False)
    if result.report is not None:
        console.print(f"report  {result.report}", soft_wrap=True, highlight=False)


_STATUS_ORDER = ("completed", "stopped", "cached", "diverged", "failed", "running")


def winners_table(
    result: SweepResult, winners: Sequence[Row], settings: Mapping[str, Sequence[str]]
) -> Table:
    """One row an architecture, the best first."""
    confirmed = any(row["cohort"] == "confirm" for row in result.trials)
    title = "best trial of each architecture"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("architecture")
    table.add_column("val_loss", justify="right")
    if confirmed:
        table.add_column("fresh seeds", justify="right")
    table.add_column("acc.", justify="right")
    table.add_column("bits/byte", justify="right")
    table.add_column("params", justify="right")
    for row in sorted(winners, key=lambda row: row["val_loss"]):
        cells = [row["architecture"], f"{row['val_loss']:.4f}"]
        if confirmed:
            cells.append(_over_seeds(result.trials, row, settings[row["architecture"]]))
        cells += [
            f"{row['val_accuracy']:.1%}",
            f"{row['bits_per_byte']:.3f}",
            f"{row['num_params']:,}",
        ]
        table.add_row(*cells)
    return table


def best_trial(rows: Sequence[Row], architecture: str) -> Row | None:
    """The searched trial with the least validation loss among those that trained longest."""
    measured = [
        row
        for row in rows
        if row["architecture"] == architecture
        and row["cohort"] != "confirm"
        and row["val_loss"] is not None
        and math.isfinite(row["val_loss"])
        and row["rung"] is not None
    ]
    longest = max((row["rung"] for row in measured), default=None)
    return min(
        (row for row in measured if row["rung"] == longest),
        key=lambda row: row["val_loss"],
        default=None,
    )


def _over_seeds(rows: Sequence[Row], winner: Row, settings: Sequence[str]) -> str:
    """Mean and standard deviation of the winner's loss over its confirmations."""
    losses = [
        row["val_loss"]
        for row in rows
        if row["cohort"] == "confirm"
        and row["architecture"] == winner["architecture"]
        and row["rung"] == winner["rung"]
        and all(row[name] == winner[name] for name in settings)
    ]
    if not losses:
        return ""
    mean = sum(losses) / len(losses)
    if len(losses) == 1:
        return f"{mean:.4f}"
    deviation = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / (len(losses) - 1))
    return f"{mean:.4f} ± {deviation:.4f}"


def short(value: Any) -> str:
    """A hyperparameter's value in few characters."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
