"""How do the models predict, write and remember? Figures of the text suite beside held-out text."""

from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import wide
from picosweep.pico.evaluation.scores import HELD_OUT

PAST: Final = "loss by place, past a block"
PLACE: Final = "loss by place"


def text_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of one evaluation by the text suite, held-out text beside the model's.

    Args:
        frame: rows of `evaluations` of one trial at one step.

    Returns:
        section, item, score, held_out, detail.
    """
    is_control = pl.col("section").str.ends_with(HELD_OUT)
    is_place = pl.col("section").is_in([PLACE, PAST])
    controls = frame.filter(is_control).select(
        pl.col("section").str.strip_suffix(HELD_OUT), "item", held_out="score"
    )
    return (
        frame.filter(~is_control & ~is_place)
        .join(controls, on=["section", "item"], how="left", maintain_order="left")
        .select("section", "item", "score", "held_out", "detail")
    )


def place_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the loss by place, within a block and past it.

    Returns:
        name, reads (`a block` or `past a block`), first, last (places), loss, tokens.
    """
    places = frame.filter(pl.col("section").is_in([PLACE, PAST]) & pl.col("score").is_not_null())
    ends = pl.col("item").str.split_exact("-", 1)
    return places.select(
        "name",
        pl.when(section=PLACE).then(pl.lit("a block")).otherwise(pl.lit("past a block"))
        .alias("reads"),
        first=ends.struct.field("field_0").cast(pl.Int64),
        last=pl.coalesce(ends.struct.field("field_1"), "item").cast(pl.Int64),
        loss="score",
        tokens="num_scored",
    )  # fmt: skip


def text_sentence(name: str, table: pl.DataFrame) -> str:
    """Say how a model predicts, how much it has by heart, and how much it repeats itself."""
    score = {(row["section"], row["item"]): row for row in table.iter_rows(named=True)}
    parts = []
    validation = score.get(("perplexity", "validation"))
    if validation is not None and validation["score"] is not None:
        bits = score[("bits per byte", "validation")]["score"]
        parts.append(
            f"perplexity {wording.significant(validation['score'])} on unseen text, "
            f"{wording.significant(bits)} bits per byte ({validation['detail']})"
        )
    parts += [
        f"{wording.percent(row['score'])} of the {row['item'].split(' that ')[0]} that it writes "
        f"stand in the training data, of as much unseen text {wording.percent(row['held_out'])}"
        for row in table.filter(section="memorisation").iter_rows(named=True)
        if row["item"].startswith("runs of") and row["score"] is not None
    ]
    repeats = score.get(("diversity", "repeats itself"))
    if repeats is not None and repeats["score"] is not None:
        parts.append(
            f"{wording.percent(repeats['score'])} of its three-word runs repeat earlier ones, of "
            f"unseen text {wording.percent(repeats['held_out'])}"
        )
    return f"{name}: {'; '.join(parts)}." if parts else f"{name}: nothing could be measured."


def place_sentence(table: pl.DataFrame, frame: pl.DataFrame) -> str:
    """Say how the loss at the end of a block compares with that further on."""
    parts = []
    for name in table["name"].unique(maintain_order=True):
        own = table.filter(name=name)
        inside, past = own.filter(reads="a block"), own.filter(reads="past a block")
        if inside.is_empty():
            continue
        end = inside.row(-1, named=True)
        past = past.filter(pl.col("first") > end["last"])
        text = f"{name}: {wording.loss(end['loss'])} nats at the end of a block ({_places(end)})"
        if past.is_empty():
            reason = frame.filter(section=PAST, name=name)["detail"].drop_nulls()
            told = reason[0] if len(reason) and reason[0] else "no document is longer"
            text += f", not measured past it ({told})"
        else:
            far = past.row(-1, named=True)
            text += f", {wording.loss(far['loss'])} at {_places(far)}, further than it was trained"
        parts.append(text)
    return "; ".join(parts) + "."


def _places(row: dict[str, int]) -> str:
    first, last = row["first"], row["last"]
    return f"place {first}" if first == last else f"places {first} to {last}"


def place_chart(table: pl.DataFrame) -> Chart:
    """Draw the loss against the place, what lies past a block dashed."""
    base = alt.Chart(table).encode(
        x=alt.X("last:Q", title="Place in what is read", scale=alt.Scale(type="log", base=2)),
        y=alt.Y("loss:Q", title="Loss (nats per token)", scale=alt.Scale(zero=False)),
        color=alt.Color("name:N", title=None),
        strokeDash=alt.StrokeDash(
            "reads:N", title="read at once", sort=["a block", "past a block"]
        ),
        tooltip=[
            alt.Tooltip("name:N"),
            alt.Tooltip("reads:N"),
            alt.Tooltip("first:Q"),
            alt.Tooltip("last:Q"),
            alt.Tooltip("loss:Q", format=".3f"),
            alt.Tooltip("tokens:Q"),
        ],
    )
    return wide(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=36), height=280)


def _panel(name: str, frame: pl.DataFrame) -> Panel:
    table = text_table(frame)
    return Panel(label=name, sentence=text_sentence(name, table), table=table, show_table=True)


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial that was put to the text suite; None for none."""
    panels = asked.panels(asked.latest("evaluations").filter(suite="text"), _panel)
    if not panels:
        return None
    return Figure(
        key="text-scores",
        title="How it predicts, writes and remembers",
        panels=panels,
        note=(
            "What it writes is drawn from its own distribution, from the start of a document. "
            "Held-out text is as much validation text: what is common to all text of this kind "
            "stands in the training data, too. Bands of perplexity are of word pieces."
        ),
    )


def place_figure(asked: Asked) -> Figure | None:
    """Return loss by place, all trials in one chart; None where none was measured."""
    shown = asked.of_shown(asked.latest("evaluations").filter(suite="text"))
    table = place_table(shown)
    if table.is_empty():
        return None
    return Figure(
        key="loss-by-place",
        title="Does it use what stands further back?",
        panels=(
            Panel(sentence=place_sentence(table, shown), chart=place_chart(table), table=table),
        ),
        note=(
            "Windows of the validation text, cut as training cuts its rows. Past a block: the "
            "same weights with room for four blocks, where no place has weights of its own."
        ),
    )
