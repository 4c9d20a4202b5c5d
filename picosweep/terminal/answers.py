"""What trained models answered, on a terminal: the report's sentences and tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from picosweep.terminal.console import PlainConsole

if TYPE_CHECKING:  # both import Altair, which help does without
    import polars as pl

    from picosweep.analysis.page.figure import Figure

MAX_ROWS: Final = 40
WIDE: Final = frozenset({"weights", "near", "detail", "against"})
"""Columns that a terminal has no room for."""


def print_figures(console: PlainConsole, figures: "Sequence[Figure]") -> None:
    """Print each figure's sentences, with the tables behind them."""
    for figure in figures:
        console.print(Text(figure.title, style="bold"))
        for panel in figure.panels:
            console.print(panel.sentence, soft_wrap=True)
            if panel.table is not None and not panel.table.is_empty():
                _print_table(console, panel.table)
        if figure.note:
            console.print(figure.note, style="dim", soft_wrap=True)
        console.print()


def _print_table(console: PlainConsole, frame: "pl.DataFrame") -> None:
    shown = [name for name in frame.columns if name not in WIDE]
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in shown:
        justify: Any = "right" if frame[name].dtype.is_numeric() else "left"
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold")
    for row in frame.select(shown).head(MAX_ROWS).iter_rows():
        table.add_row(*(Text(_shown(value)) for value in row))
    console.print(table)
    if frame.height > MAX_ROWS:
        console.print(f"and {frame.height - MAX_ROWS:,} more: --json", style="dim")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
