"""What do the models write? Samples side by side."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel, Quote
from picosweep.analysis.results import Results
from picosweep.pico.evaluation.diversity import repetition

MAX_CHARACTERS: Final = 700
MAX_QUOTES: Final = 24
MAX_DECODERS: Final = 8


def samples_table(
    samples: pl.DataFrame, trials: pl.DataFrame, column: str = "val_loss"
) -> pl.DataFrame:
    """Return the samples of each architecture's best trial, for each rung, decoder and prompt.

    Args:
        samples: the `samples` table with the column `architecture`.
        trials: the `trials` table, for the losses.
        column: loss column that chooses among trials with samples at the same rung.

    Returns:
        decoder, rung, architecture, trial_id, prompt, text; sorted by decoder and prompt, later
        rungs first.
    """
    losses = trials.select("trial_id", pl.col(column).alias("loss")).unique("trial_id")
    ranked = samples.join(losses, on="trial_id", how="left").sort("loss", nulls_last=True)
    chosen = ranked.unique(
        ["architecture", "rung", "decoder", "prompt"], keep="first", maintain_order=True
    )
    return chosen.sort(
        "decoder", "prompt", "rung", "loss", descending=[False, False, True, False], nulls_last=True
    ).select("decoder", "rung", "architecture", "trial_id", "prompt", "text")


def samples_sentence(table: pl.DataFrame) -> str:
    """Say how many samples there are, and how much each architecture's repeat themselves."""
    if table.is_empty():
        return "No text was sampled."
    parts = []
    for (name,), frame in table.sort("architecture").group_by("architecture", maintain_order=True):
        shares = [repetition(text) for text in frame["text"].drop_nulls()]
        if shares:
            parts.append(f"{name} {wording.percent(sum(shares) / len(shares))}")
    count = wording.plural(table.height, "sample")
    if not parts:
        return f"{count}, all empty."
    return f"{count}. How much of a text repeats itself: {wording.listing(parts)}."


def quotes(table: pl.DataFrame) -> tuple[Quote, ...]:
    """Return the first samples as the page shows them, long texts cut."""
    return tuple(
        Quote(
            architecture=row["architecture"] or "",
            trial_id=row["trial_id"] or "",
            heading="reference" if row["rung"] is None else f"rung {row['rung']}",
            prompt=row["prompt"] or "",
            text=shortened(row["text"] or ""),
        )
        for row in table.head(MAX_QUOTES).iter_rows(named=True)
    )


def shortened(text: str) -> str:
    """Return a text as the page shows it: long ones cut."""
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rstrip() + " …"


def decoders(table: pl.DataFrame) -> Sequence[str]:
    """Return decoders in the order of the table, greedy first, at most eight."""
    names = table["decoder"].drop_nulls().unique(maintain_order=True).to_list()
    return sorted(names, key=lambda name: name != "greedy")[:MAX_DECODERS]


def figure(results: Results) -> Figure | None:
    """Return one panel per decoder; None without samples."""
    table = samples_table(results.samples, results.trials, results.metric.column)
    if table.is_empty():
        return None
    panels = [
        Panel(
            label=decoder,
            sentence=samples_sentence(own),
            quotes=quotes(own),
            table=own,
        )
        for decoder in decoders(table)
        for own in [table.filter(decoder=decoder)]
    ]
    return Figure(
        key="samples",
        title="Samples side by side",
        panels=tuple(panels),
        note=(
            "The best trial of each architecture at each rung, later rungs first, at last what "
            "preference training started from; prompts are in bold. A text repeats itself where "
            "three words in a row have stood in it before."
        ),
    )
