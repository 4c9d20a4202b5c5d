"""What went wrong, what was answered from the store, and what was unexpected while reading?"""

from typing import Final

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results

MAX_MESSAGE: Final = 300


def failures_table(trials: pl.DataFrame) -> pl.DataFrame:
    """Group the trials that failed, diverged or needed more than one attempt.

    Returns:
        happened, architecture, trials (how many), trial_id (an example), error (last line of its
        message).
    """
    last_line = (
        pl.col("error").fill_null("").str.strip_chars().str.split("\n").list.last()
        .str.slice(0, MAX_MESSAGE)
    )  # fmt: skip
    happened = (
        pl.when(pl.col("status").is_in(["failed", "diverged"]))
        .then("status")
        .when(pl.col("num_attempts") > 1)
        .then(pl.lit("needed several attempts"))
    )
    return (
        trials.with_columns(happened=happened, error=last_line)
        .filter(pl.col("happened").is_not_null())
        .group_by("happened", "architecture", "error")
        .agg(trials=pl.len(), example=pl.col("trial_id").min())
        .sort("trials", "happened", "architecture", descending=[True, False, False])
        .select("happened", "architecture", "trials", trial_id="example", error="error")
    )


def failures_sentence(table: pl.DataFrame, trials: pl.DataFrame) -> str:
    """Say how many trials failed, what came from the store, and what still ran."""
    parts = []
    for (happened,), frame in table.group_by("happened", maintain_order=True):
        parts.append(f"{wording.plural(int(frame['trials'].sum()), 'trial')} {happened}")
    text = (
        f"{wording.listing(parts)}." if parts else "No trial failed, diverged or was tried twice."
    )
    cached = trials.filter(status="cached")
    if cached.height:
        sources = cached["source_sweep"].drop_nulls().unique().sort().to_list()
        text += f" {wording.plural(cached.height, 'trial')} came from the store without training"
        text += f" (from {wording.listing(sources)})." if sources else "."
    running = trials.filter(status="running").height
    if running:
        text += f" {wording.plural(running, 'trial')} had not ended when this was written."
    return text


def figure(results: Results) -> Figure:
    """Return failures and warnings as a figure."""
    table = failures_table(results.trials)
    return Figure(
        key="failures",
        title="Failures, cache hits and warnings",
        panels=(
            Panel(
                sentence=failures_sentence(table, results.trials),
                table=table,
                show_table=not table.is_empty(),
            ),
        ),
        note=" ".join(results.warnings),
    )
