"""Which step, and which model? Scores of checkpoints and of trials beside what they cost."""

import altair as alt
import polars as pl

from picosweep.analysis.asked.code_scores import SECTIONS
from picosweep.analysis.asked.frames import FACTS, Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import wide
from picosweep.pico.evaluation.scores import GRADES

HEADLINES = ("passes", "bits per byte")
"""Sections whose best step is told: a share, which is to be high, and bits, to be low."""


def sizes_table(asked: Asked) -> pl.DataFrame:
    """Return each trial's size, memory, speed, loss and the means of its suites' main sections.

    Returns:
        name, num_params, tokens, seconds, tokens_per_second, peak_memory_bytes, val_loss,
        bits_per_byte, and a column for each section of the code suite that was scored.
    """
    frame = asked.latest("evaluations").filter(
        (pl.col("suite") == "code") & pl.col("section").is_in(SECTIONS)
    )
    means = frame.group_by("trial_id", "section").agg(pl.col("score").mean())
    columns = [name for name in SECTIONS if name in means["section"].to_list()]
    facts = asked.trials.select("name", *FACTS)
    if columns:
        wide_means = means.pivot("section", index="trial_id", values="score")
        facts = facts.join(wide_means, on="trial_id", how="left", maintain_order="left")
    evaluated = asked.tables["evaluations"].filter(pl.col("suite") != "probes")["trial_id"]
    kept = facts.filter(pl.col("trial_id").is_in(evaluated.unique().to_list()))
    return kept.select("name", *(n for n in FACTS if n not in {"trial_id", "sweep"}), *columns)


def sizes_sentence(table: pl.DataFrame) -> str:
    """Say how far apart the smallest and the largest are, in size and in bits per byte."""
    known = table.filter(pl.col("num_params").is_not_null() & pl.col("bits_per_byte").is_not_null())
    if known.height < 2:
        return f"{wording.plural(table.height, 'trial')} answered."
    small, large = (known.sort("num_params").row(place, named=True) for place in (0, -1))
    return (
        f"{small['name']} has {wording.count(small['num_params'])} parameters and "
        f"{wording.significant(small['bits_per_byte'])} bits per byte, {large['name']} "
        f"{wording.count(large['num_params'])} and {wording.significant(large['bits_per_byte'])}; "
        "one seed each, so the difference may be the seeds'."
    )


def sizes_figure(asked: Asked) -> Figure | None:
    """Return trials side by side; None where fewer than two were put to a suite."""
    table = sizes_table(asked)
    if table.height < 2:
        return None
    return Figure(
        key="sizes",
        title="Side by side",
        panels=(Panel(sentence=sizes_sentence(table), table=table, show_table=True),),
        note=(
            "Speed and memory are those of training, on the machine that trained them. Columns of "
            "the code suite are means over its items at the last step that was asked."
        ),
    )


def checkpoints_table(asked: Asked) -> pl.DataFrame:
    """Return the mean score of each section at each step, of trials that were asked at several.

    Returns:
        name, rung, step, suite, section, score (mean over items with one), items.
    """
    evaluations = asked.tables["evaluations"]
    frame = asked.of_shown(evaluations.filter(pl.col("suite") != "probes")).filter(
        pl.col("score").is_not_null() & (pl.col("section").is_in([*SECTIONS, "bits per byte"]))
    )
    several = pl.col("step").n_unique().over("trial_id") > 1
    return (
        frame.filter(several)
        .group_by("name", "rung", "step", "suite", "section", maintain_order=True)
        .agg(pl.col("score").mean(), items=pl.len())
    )


def checkpoints_sentence(name: str, table: pl.DataFrame) -> str:
    """Say at which step a trial had its best headline score.

    Args:
        name: the trial's name.
        table: of `checkpoints_table`, its rows alone.
    """
    parts = []
    for section in HEADLINES:
        own = table.filter(section=section).sort("step", descending=True)
        if own["score"].n_unique() < 2:
            continue
        last = own.row(0, named=True)
        ranked = own.sort("score", descending=section == "passes", maintain_order=True)
        best = ranked.row(0, named=True)
        value = wording.percent if section == "passes" else wording.significant
        text = f"its best {section} at step {best['step']:,} ({value(best['score'])}"
        same = best["step"] == last["step"]
        parts.append(text + (", its last)" if same else f"; at its last, {value(last['score'])})"))
    if not parts:
        return f"{name}: neither passes nor bits per byte changed from step to step."
    return f"{name} had {wording.listing(parts)}."


def checkpoints_chart(table: pl.DataFrame) -> Chart:
    """Draw the mean of each section of shares over the steps of one trial."""
    base = alt.Chart(table).encode(
        x=alt.X("step:Q", title="Step", scale=alt.Scale(type="symlog")),
        y=alt.Y("score:Q", title="Share", axis=alt.Axis(format="%")),
        color=alt.Color("section:N", title=None, sort=list(SECTIONS)),
        tooltip=["section:N", "step:Q", alt.Tooltip("score:Q", format=".1%"), "items:Q"],
    )
    run = alt.FieldOneOfPredicate("section", list(GRADES))  # more sections than colours
    dash = alt.condition(run, alt.value([5, 3]), alt.value([1, 0]))
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    return wide(lines, base.mark_point(filled=True, size=36), height=260)


def checkpoints_figure(asked: Asked) -> Figure | None:
    """Return scores over steps; None where no trial was asked at two."""
    table = checkpoints_table(asked)
    if table.is_empty():
        return None
    panels = []
    for name in table["name"].unique(maintain_order=True):
        own = table.filter(name=name)
        shares = own.filter(pl.col("section") != "bits per byte")
        panels.append(
            Panel(
                label=name,
                sentence=checkpoints_sentence(name, own),
                chart=None if shares.is_empty() else checkpoints_chart(shares),
                table=own,
            )
        )
    return Figure(
        key="checkpoints",
        title="Which step was best?",
        panels=tuple(panels),
        note=(
            "Dashed: how far written functions come. The best of several steps is chosen by the "
            "same items that score it, so it flatters."
        ),
    )
