"""What to run next, on a terminal."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from picosweep.terminal.console import PlainConsole

if TYPE_CHECKING:  # it imports polars, which help does without
    from picosweep.analysis.next_steps import NextStep


def print_next_steps(console: PlainConsole, sweep: str, steps: Sequence["NextStep"]) -> None:
    """Print each step: the question, the change of the spec, the cost."""
    if not steps:
        console.print(
            f"{sweep}: no next step follows from its tests; the report says what they showed."
        )
        return
    for number, step in enumerate(steps, 1):
        console.print(f"{number}. {step.why}", soft_wrap=True)
        for change in step.changes:
            before = "not set" if change.before is None else _written(change.before)
            text = Text.assemble(
                "   ", (".".join(change.key), "bold"), f": {_written(change.after)}",
                (f"  (now {before})", "dim"),
            )  # fmt: skip
            console.print(text, soft_wrap=True)
        console.print(f"   more: {step.cost()}", style="dim", soft_wrap=True)
    console.print("Change the spec and run it again: trials that are known are not trained again.")


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
