"""What do attention heads do? Scores on tokens that come twice, beside what each is worth."""

from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide

SCORES: Final = ("previous", "first", "duplicate", "induction")
DOES: Final = {
    "previous": "looks at the token before",
    "duplicate": "looks at the same token's first occurrence",
    "induction": "looks at what followed the token's first occurrence",
}
"""What a head does that has a high score; looking at the first token is often looking nowhere."""
LEAST_SCORE: Final = 0.4
LEAST_LOSS: Final = 0.1
"""Nats by which the loss must rise without a head before a sentence says what it does."""


def heads_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one trial's heads, the one that looks at all alike last.

    Returns:
        head (`layer.head`), the scores, entropy, distance, loss_without.
    """
    head = pl.format("{}.{}", pl.col("layer"), pl.col("head")).fill_null("all alike")
    return frame.sort("layer", "head", nulls_last=True).select(
        head.alias("head"), *SCORES, "entropy", "distance", "loss_without"
    )


def what_heads_do(table: pl.DataFrame) -> list[tuple[str, str, float, float]]:
    """Return head, kind, score and worth of those for which score and ablation agree."""
    return [
        (row["head"], kind, row[kind], row["loss_without"])
        for row in table.iter_rows(named=True)
        for kind in DOES
        if row["loss_without"] is not None
        and row[kind] >= LEAST_SCORE
        and row["loss_without"] >= LEAST_LOSS
    ]


def heads_sentence(name: str, table: pl.DataFrame, frame: pl.DataFrame, control: str) -> str:
    """Say what heads do where score and ablation agree, and what repetition gains.

    Args:
        name: the trial's name.
        table: of `heads_table`.
        frame: the rows that it was made from.
        control: what induction is held against besides, see `one_layer_control`.
    """
    found = what_heads_do(table)
    parts = [
        f"head {head} {DOES[kind]} ({kind} {score:.2f}; without it the loss rises by "
        f"{wording.significant(worth, 2)} nats)"
        for head, kind, score, worth in found
    ]
    text = f"{name}: {'; '.join(parts)}." if parts else (
        f"{name}: no head both looks where a score says and is worth anything there."
    )  # fmt: skip
    heads = table.filter(pl.col("head") != "all alike")
    best = heads.sort("induction", descending=True).row(0, named=True)
    alike = table.filter(head="all alike").row(0, named=True)
    text += (
        f" Highest induction score: {best['induction']:.2f} (head {best['head']}); looking at all "
        f"tokens alike has {alike['induction']:.2f}{control}."
    )
    first, second = (frame[n].drop_nulls() for n in ("first_half_loss", "second_half_loss"))
    if len(first) and len(second):
        gap = float(first[0]) - float(second[0])
        text += (
            f" Where tokens come again the loss is {wording.significant(abs(gap), 2)} nats "
            f"{'lower' if gap >= 0 else 'higher'} than where nothing can be known."
        )
    return text


def one_layer_control(frame: pl.DataFrame, own: pl.DataFrame) -> str:
    """Return the best induction score where a head cannot know what came before a token.

    Args:
        frame: the heads of all trials, of which those with one layer are a control.
        own: the heads of one trial, whose first layer is another.
    """
    if own["layer"].drop_nulls().n_unique() < 2:
        return ", and a model of one layer cannot do more by looking for it"
    first: Any = own.filter(layer=0)["induction"].max()
    text = f", the first layer, which cannot look for it, at most {first:.2f}"
    heads = frame.filter(pl.col("layer").is_not_null())
    single = heads.filter(pl.col("layer").max().over("trial_id") == 0)
    if not single.is_empty():
        best = single.sort("induction", descending=True).row(0, named=True)
        text += f", {best['name']} of one layer at most {best['induction']:.2f}"
    return text


def heads_chart(table: pl.DataFrame) -> Chart:
    """Draw scores as a heatmap, heads below each other, with what each is worth."""
    long = table.unpivot(
        [*SCORES], index=["head", "loss_without"], variable_name="what", value_name="score"
    )
    order = table["head"].to_list()
    base = alt.Chart(long).encode(
        x=alt.X("what:N", title=None, sort=list(SCORES), axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("head:N", title="Layer.head", sort=order),
        tooltip=[
            alt.Tooltip("head:N"),
            alt.Tooltip("what:N"),
            alt.Tooltip("score:Q", format=".3f"),
            alt.Tooltip("loss_without:Q", title="Loss rises without it", format="+.3f"),
        ],
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "score:Q", title="Mean weight", scale=alt.Scale(domain=[0, 1], range="ramp")
        )
    )
    return wide(cells, height=rows(table.height, 24))


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial whose heads were scored; None for none."""
    frame = asked.latest("probes_heads")

    def panel(name: str, own: pl.DataFrame) -> Panel:
        table = heads_table(own)
        control = one_layer_control(frame, own)
        return Panel(
            label=name,
            sentence=heads_sentence(name, table, own, control),
            chart=heads_chart(table),
            table=table,
            show_table=True,
        )

    panels = asked.panels(frame, panel)
    if not panels:
        return None
    return Figure(
        key="heads",
        title="What each head does, and what it is worth",
        panels=panels,
        note=(
            "Random tokens, drawn without replacement, that come twice, at three lengths. previous "
            "and first: weight on the token before and on the first one. duplicate and induction: "
            "in the second half, on the same token's first occurrence and on the one after it. "
            "loss without: nats by which the loss on the second half rises without the head. A "
            f"sentence names what a head does from a score of {LEAST_SCORE} and a rise of "
            f"{LEAST_LOSS} nats on. A gap alone is no induction: where documents hold no token "
            "twice, knowing which are used up lowers the loss as well."
        ),
    )
