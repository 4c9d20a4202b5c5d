"""Do the best models overfit, underfit, or want more training?

The diagnosis looks at each architecture's best trial. Overfitting: its validation loss has risen
from its least by more than 1 %. Still learning: at the end a doubling of tokens still took more
than 1 % off the loss. Otherwise it has levelled off.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, small_multiples
from picosweep.analysis.results import Results

TOLERANCE: Final = 0.01


def fit_quality_table(trials: pl.DataFrame, reports: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return one row per architecture: how its best trial ended, and the diagnosis.

    Args:
        trials: trials at full budget, one row each.
        reports: reports of these trials; those of other trials are ignored.
        column: loss column that chooses the best trial and is diagnosed.

    Returns:
        architecture, trial_id, train_loss, val_loss, gap, rise (above its least, as a share),
        gain (share of loss that a doubling of tokens took off at the end: from the last report
        before half of the tokens on, scaled to one doubling), diagnosis.
    """
    best = trials.sort(column, "trial_id").unique("architecture", keep="first", maintain_order=True)
    own = reports.join(best.select("trial_id"), on="trial_id", how="semi").drop_nulls([column])
    ends = own.sort("tokens").group_by("trial_id").agg(
        end=pl.col(column).last(), least=pl.col(column).min(),
        train_loss=pl.col("train_loss").last(), val_loss=pl.col("val_loss").last(),
        before=pl.col(column).filter(pl.col("tokens") <= pl.col("tokens").max() / 2).last(),
        doublings=(
            pl.col("tokens").max()
            / pl.col("tokens").filter(pl.col("tokens") <= pl.col("tokens").max() / 2).last()
        ).log(2),
    )  # fmt: skip
    rise = pl.col("end") / pl.col("least") - 1
    gain = 1 - (pl.col("end") / pl.col("before")) ** (1 / pl.col("doublings"))
    diagnosis = (
        pl.when(pl.col("rise") > TOLERANCE)
        .then(pl.lit("overfitting"))
        .when(pl.col("gain") > TOLERANCE)
        .then(pl.lit("still learning"))
        .when(pl.col("gain").is_null())
        .then(pl.lit("too few reports"))
        .otherwise(pl.lit("levelled off"))
    )
    return (
        best.select("architecture", "trial_id")
        .join(ends, on="trial_id", maintain_order="left")
        .with_columns(gap=pl.col("val_loss") - pl.col("train_loss"), rise=rise, gain=gain)
        .with_columns(diagnosis=diagnosis)
        .select(
            "architecture", "trial_id", "train_loss", "val_loss", "gap", "rise", "gain", "diagnosis"
        )
    )  # fmt: skip


def fit_quality_sentence(table: pl.DataFrame) -> str:
    """Say each architecture's diagnosis, and where validation exceeds training loss most."""
    if table.is_empty():
        return "No trial reached the full budget."
    meaning = {
        "overfitting": ("overfits", "overfit", ": the loss has risen from its least"),
        "still learning": (
            "is still learning",
            "are still learning",
            ": more training should help",
        ),
        "levelled off": ("has levelled off", "have levelled off", ""),
        "too few reports": ("reported", "reported", " too rarely to say"),
    }
    parts = []
    for (diagnosis,), rows in table.group_by("diagnosis", maintain_order=True):
        one, several, why = meaning[str(diagnosis)]
        trials = "trial" if rows.height == 1 else "trials"
        names = wording.listing(rows["architecture"].to_list())
        verb = one if rows.height == 1 else several
        parts.append(f"The best {trials} of {names} {verb}{why}.")
    text = " ".join(parts)
    gaps = table.drop_nulls(["gap"]).sort("gap")
    if gaps.is_empty():
        return text
    wide = gaps.row(-1, named=True)
    if wide["gap"] <= 0:
        return f"{text} Nowhere does the validation loss exceed the training loss."
    return (
        f"{text} Validation loss exceeds training loss most for {wide['architecture']}, by "
        f"{wording.significant(wide['gap'], 2)}."
    )


def curves_table(table: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return training and validation loss of the best trials, one row per point."""
    return (
        reports.join(table.select("trial_id"), on="trial_id", how="semi")
        .select("architecture", "trial_id", "tokens", training="train_loss", validation="val_loss")
        .unpivot(
            index=["architecture", "trial_id", "tokens"], variable_name="set", value_name="loss"
        )
        .drop_nulls()
        .sort("architecture", "set", "tokens")
    )


def fit_quality_chart(curves: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw solid validation and dashed training curves of the best trials."""
    x = alt.X("tokens:Q", title="Training tokens", scale=alt.Scale(type="log", nice=False),
              axis=alt.Axis(format="~s", grid=False, tickCount=4, labelOverlap=True))  # fmt: skip
    dashes = alt.Scale(domain=["validation", "training"], range=[[1, 0], [4, 3]])
    lines = (
        alt.Chart(curves)
        .mark_line(point={"size": 24})
        .encode(
            x=x,
            y=alt.Y("loss:Q", title="Loss (nats per token)", scale=alt.Scale(zero=False)),
            color=color(architectures, legend=False),
            strokeDash=alt.StrokeDash(
                "set:N",
                title=None,
                scale=dashes,
                legend=alt.Legend(symbolType="stroke", symbolSize=500, symbolStrokeWidth=2),
            ),
            tooltip=[
                alt.Tooltip("trial_id:N"),
                alt.Tooltip("set:N"),
                alt.Tooltip("tokens:Q", format=".3~s"),
                alt.Tooltip("loss:Q", format=".4f"),
            ],
        )
    )
    return small_multiples(lines, by="architecture", columns=4, size=(240, 190))


def figure(results: Results) -> Figure | None:
    """Return curves and diagnoses of the best trials; None where none reached full budget."""
    table = fit_quality_table(results.full_budget, results.reports, results.metric.column)
    if table.is_empty():
        return None
    curves = curves_table(table, results.reports)
    return Figure(
        key="fit-quality",
        title="Overfitting, or still learning?",
        panels=(
            Panel(
                sentence=fit_quality_sentence(table),
                chart=fit_quality_chart(curves, results.architectures) if curves.height else None,
                table=table,
                show_table=True,
            ),
        ),
        note=(
            "Training loss is the mean since the report before, with dropout on where there is "
            "any, so it may lie above the validation loss."
        ),
    )
