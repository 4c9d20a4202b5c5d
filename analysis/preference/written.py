"""What do the models write after preference training, beside what they wrote before it?"""

from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Panel, Quote
from picosweep.analysis.page.style import wide
from picosweep.analysis.preference.marks import PREFERRED, points
from picosweep.analysis.trials.samples import shortened
from picosweep.pico.evaluation.diversity import repetition
from picosweep.sweeps.store.tables import short_id

MAX_PROMPTS: Final = 2


def repetition_table(samples: pl.DataFrame, trials: pl.DataFrame) -> pl.DataFrame:
    """Return how much trials' texts repeat themselves, beside their references' texts.

    Args:
        samples: the `samples` table: texts at step 0 are the reference's.
        trials: preference trials at full budget, as `preference_table` returns them.

    Returns:
        trial_id, architecture, preference_loss, beta, preference_accuracy, repetition,
        repetition_before (means over texts of the share of three-word runs that occurred before in
        the same text), num_texts; for trials with texts before and after, the best first.
    """
    texts = samples.select(
        "trial_id", "step", "decoder", "prompt",
        share=pl.col("text").map_elements(repetition, return_dtype=pl.Float64),
    )  # fmt: skip
    before = texts.filter(step=0).select("trial_id", "decoder", "prompt", repetition_before="share")
    last = texts.filter(pl.col("step") == pl.col("step").max().over("trial_id"))
    both = last.filter(pl.col("step") > 0).join(before, on=["trial_id", "decoder", "prompt"])
    means = both.group_by("trial_id").agg(
        pl.col("share").mean().alias("repetition"),
        pl.col("repetition_before").mean(),
        num_texts=pl.len(),
    )
    of_trial = ("trial_id", "architecture", "preference_loss", "beta", "preference_accuracy")
    return (
        trials.select(*of_trial, "reference_kl")
        .join(means, on="trial_id")
        .sort("preference_accuracy", "reference_kl", descending=[True, False])
        .select(*of_trial, "repetition", "repetition_before", "num_texts")
    )


def repetition_sentence(table: pl.DataFrame) -> str:
    """Say how much the texts repeat themselves before and after, and where most."""
    most = table.sort("repetition").row(-1, named=True)
    before = table["repetition_before"].sort().to_list()
    ends = dict.fromkeys(wording.percent(share) for share in (before[0], before[-1]))
    references = " to ".join(ends)
    more = table.filter(pl.col("repetition") > pl.col("repetition_before")).height
    return (
        f"Of the three-word runs in a text, {references} had stood in it before under the "
        f"reference; in {more} of {wording.plural(table.height, 'trial')} it is more after "
        f"training. Most in {short_id(most['trial_id'])} ({most['preference_loss']}, beta "
        f"{wording.significant(most['beta'])}): {wording.percent(most['repetition'])}, at "
        f"{wording.percent(most['preference_accuracy'])} of the pairs preferred. Means over "
        f"{wording.plural(most['num_texts'], 'text')} a trial; those below are greedy, each loss "
        "at its best."
    )


def repetition_chart(table: pl.DataFrame) -> Chart:
    """Draw accuracy against repetition, with the references' as lines."""
    title = "Runs of three words that occurred before"
    base = alt.Chart(table).encode(
        x=alt.X("repetition:Q", title=title, axis=alt.Axis(format="%")), y=PREFERRED
    )
    repeated = [
        alt.Tooltip(f"{name}:Q", format=".1%") for name in ("repetition", "repetition_before")
    ]
    references = table.select("architecture", "repetition_before").unique(maintain_order=True)
    lines = alt.Chart(references).mark_rule(strokeDash=[3, 3]).encode(
        x=alt.X("repetition_before:Q", title=title),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("repetition_before:Q", format=".1%")],
    )  # fmt: skip
    return wide(lines, points(base, repeated), height=240)


def before_and_after(samples: pl.DataFrame, table: pl.DataFrame) -> tuple[Quote, ...]:
    """Return greedy texts of each loss's best trial, beside what its reference wrote.

    Args:
        samples: the `samples` table.
        table: what `repetition_table` returns, the best first.
    """
    best = table.unique("preference_loss", keep="first", maintain_order=True)
    greedy = samples.filter(decoder="greedy")
    quotes: list[Quote] = []
    for prompt in greedy["prompt"].unique(maintain_order=True).to_list()[:MAX_PROMPTS]:
        for (_,), own in best.sort("architecture", maintain_order=True).group_by(
            "architecture", maintain_order=True
        ):
            for place, row in enumerate(own.iter_rows(named=True)):
                texts = greedy.filter(prompt=prompt, trial_id=row["trial_id"]).sort("step")
                if place == 0:
                    quotes.append(_quote(row, texts.row(0, named=True), "before"))
                after = f"{row['preference_loss']}, beta {wording.significant(row['beta'])}"
                quotes.append(_quote(row, texts.row(-1, named=True), after))
    return tuple(quotes)


def _quote(trial: dict[str, object], text: dict[str, str], heading: str) -> Quote:
    return Quote(
        architecture=str(trial["architecture"]),
        trial_id=str(trial["trial_id"]),
        heading=heading,
        prompt=text["prompt"],
        text=shortened(text["text"]),
    )


def panel(samples: pl.DataFrame, trials: pl.DataFrame) -> Panel | None:
    """Return texts before and after with how much they repeat themselves; None without texts.

    Args:
        samples: the `samples` table.
        trials: preference trials at full budget, as `preference_table` returns them.
    """
    table = repetition_table(samples, trials)
    if table.is_empty():
        return None
    return Panel(
        label="What they write",
        sentence=repetition_sentence(table),
        quotes=before_and_after(samples, table),
        chart=repetition_chart(table),
        table=table,
    )
