"""What happened to the sweep while it ran: lost processes, repairs, interruptions."""

from typing import Final

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results

MEANINGS: Final = {
    "lost": "dead worker",
    "node": "lost node",
    "hung": "silent trial",
    "failed": "failed trial",
    "stopped": "stop by hand",
    "repaired": "repair",
    "interrupted": "interruption",
    "limit": "limit",
}
"""Kinds of incidents, as a reader would call them."""
PLURALS: Final = {"stop by hand": "stops by hand"}
MAX_ROWS: Final = 500


def incidents_table(incidents: pl.DataFrame) -> pl.DataFrame:
    """Return incidents in the order in which they happened, the newest `MAX_ROWS`.

    Args:
        incidents: the `incidents` table of the results.

    Returns:
        time, happened, trial_id (null where it concerns the whole sweep), text.
    """
    happened = pl.col("kind").replace(MEANINGS)
    return (
        incidents.with_columns(happened=happened)
        .sort("time", maintain_order=True)
        .select("time", "happened", "trial_id", "text")
        .tail(MAX_ROWS)
    )


def incidents_sentence(incidents: pl.DataFrame) -> str:
    """Say how often each kind of incident happened, and that no earlier report is missing."""
    counts = incidents.group_by("kind", maintain_order=True).len().iter_rows()
    nouns = [(count, MEANINGS.get(kind, kind)) for kind, count in counts]
    told = [wording.plural(count, noun, PLURALS.get(noun)) for count, noun in nouns]
    return f"{wording.listing(told)}. What was reported before is in the tables all the same."


def figure(results: Results) -> Figure | None:
    """Return the incidents as a figure; None where there were none."""
    if results.incidents.is_empty():
        return None
    return Figure(
        key="incidents",
        title="What happened on the way",
        panels=(
            Panel(
                sentence=incidents_sentence(results.incidents),
                table=incidents_table(results.incidents),
                show_table=True,
            ),
        ),
    )
