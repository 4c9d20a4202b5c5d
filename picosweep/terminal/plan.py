"""The plan of a sweep on a terminal."""

from rich import box
from rich.table import Table

from picosweep.commands.plan import Plan
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.wording import counted, duration


def print_plan(console: PlainConsole, plan: Plan) -> None:
    """Print the plan as a table, why configurations were rejected, and the time needed."""
    if plan.sft is not None:
        console.print("first the references:")
        print_plan(console, plan.sft)
        console.print("then, from them:")
    rungs = ", ".join(f"{rung:,}" if isinstance(rung, int) else f"{rung:g}" for rung in plan.rungs)
    console.print(f"rungs at {rungs} {plan.unit}")
    for remark in plan.remarks:
        console.print(remark)
    # Narrow enough for a terminal of 80 columns.
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("architecture")
    for name in ("space", "feasible", "trials", "tokens", "worst", "tokens/s", "memory"):
        table.add_column(name, justify="right")
    for part in plan.architectures:
        checked = part.feasibility
        share = checked.num_feasible / checked.num_checked
        table.add_row(
            part.name,
            _size(part.num_configurations),
            f"{share:.0%}" if checked.complete else f"≈ {share:.0%}",
            f"{part.num_trials} + {part.num_confirmations}",
            _millions(part.expected_tokens),
            _millions(part.worst_tokens),
            f"{part.tokens_per_second:,.0f}",
            f"{part.memory_bytes / 2**20:,.0f} MB",
        )
    console.print(table)
    for part in plan.architectures:
        for reason, count in part.feasibility.reasons.most_common(3):
            share = count / part.feasibility.num_checked
            console.print(f"{part.name}: {share:.0%} rejected by {reason}")
    needed = f"about {duration(plan.expected_seconds / plan.slots)} of training in"
    if plan.unit == "seconds":
        basis = "; the tokens are a guess from the speeds measured now"
    else:
        basis = " at the speeds measured now"
    console.print(f"{needed} {counted(plan.slots, 'slot')}{basis}")


def _size(count: int | None) -> str:
    """Return the size of a space in few characters."""
    if count is None:
        return "∞"
    return f"{count:,}" if count < 1e9 else f"{count:.0e}"


def _millions(tokens: float) -> str:
    return f"{tokens / 1e6:.2f} M"
