"""Probes of trained models on a terminal: attention heads, and what they look at."""

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from picosweep.terminal.console import PlainConsole

if TYPE_CHECKING:  # both import torch, which help does without
    from picosweep.pico.probes.head_scores import HeadScores
    from picosweep.trained.probe import Attention

COLUMNS = ("previous", "first", "duplicate", "induction", "entropy", "distance")


def print_heads(console: PlainConsole, scores: "HeadScores") -> None:
    """Print every head's scores, those of looking at all alike, and what induction gains."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("head", *COLUMNS, "loss without"):
        table.add_column(name, justify="right")
    for head in scores.heads:
        values = [getattr(head, name) for name in COLUMNS]
        shown = ["" if value is None else f"{value:.3f}" for value in values]
        table.add_row(f"{head.layer}.{head.head}", *shown, f"{head.loss_without:+.3f}")
    table.add_section()
    table.add_row("all alike", *(f"{scores.uniform[name]:.3f}" for name in COLUMNS), "")
    console.print(table)
    lengths = ", ".join(map(str, scores.repeated))
    console.print(
        f"Measured on random tokens that come twice: {lengths} tokens, {scores.sequences} "
        "sequences each. Weight on the token before (previous) and on the first one; in the second "
        "half, on the same token's first occurrence (duplicate) and on the one after it "
        "(induction). Entropy is a share of its largest value. Loss without: by how many nats the "
        "loss on the second half rises without the head; a head does what a score says only where "
        "it is worth something as well.",
        style="dim",
        soft_wrap=True,
    )
    gap = scores.induction_gap
    how = "lower" if gap >= 0 else "higher"
    console.print(
        f"Where tokens come again the loss is {abs(gap):.3f} nats {how} than where nothing can be "
        f"known ({scores.second_half_loss:.3f} against {scores.first_half_loss:.3f}).",
        soft_wrap=True,
    )


def print_attention(console: PlainConsole, attention: "Attention") -> None:
    """Print what the last token of a prompt looks at, head by head."""
    table = Table()
    for name in ("head", f"the last token, {attention.tokens[-1]!r}, looks at"):
        table.add_column(name, overflow="fold")
    for head in attention.heads:
        looked_at = [
            f"{attention.tokens[place]!r} at {place} ({weight:.2f})"
            for place, weight in head.looked_at()
        ]
        table.add_row(f"{head.layer}.{head.head}", ", ".join(looked_at))
    console.print(table)
    if not attention.is_distribution:
        console.print(
            "Weights of linear attention may be negative and need not sum to 1 where positions are "
            "rotary.", style="dim", soft_wrap=True,
        )  # fmt: skip
    console.print("All weights of all tokens: --json.", style="dim")
