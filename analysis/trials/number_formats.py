"""What did `precision: auto` come to mean, and for which configurations?"""

from collections.abc import Mapping, Sequence

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import small_multiples
from picosweep.analysis.results import Results

_SCHEMA = {
    "sweep": pl.String,
    "architecture": pl.String,
    "num_params": pl.Int64,
    "tokens_a_pass": pl.Int64,
    "ms_fp32": pl.Float64,
    "other": pl.String,
    "ms_other": pl.Float64,
    "quicker": pl.Float64,
    "taken": pl.String,
}


def formats_table(formats: Mapping[str, Mapping[str, object]]) -> pl.DataFrame:
    """Return the configurations whose number formats were measured.

    Args:
        formats: content of `precision.json` by sweep; entries of another form are left out.

    Returns:
        sweep, architecture, num_params, tokens_a_pass (tokens of one forward pass), ms_fp32
        (milliseconds of a training step), other (the other format), ms_other, quicker (the first
        over the second), taken (the format of the configurations that lie nearest).
    """
    rows = [
        _row(entry) | {"sweep": sweep, "architecture": architecture}
        for sweep, content in formats.items()
        for architecture, measured in content.items()
        if isinstance(measured, list)
        for entry in measured
    ]
    return (
        pl.DataFrame(rows, schema=_SCHEMA)
        .with_columns(quicker=pl.col("ms_fp32") / pl.col("ms_other"))
        .sort("sweep", "architecture", "num_params", "tokens_a_pass")
    )


def _row(entry: Mapping[str, object]) -> dict[str, object]:
    seconds = entry["seconds"]
    assert isinstance(seconds, Mapping)
    other = next((name for name in seconds if name != "fp32"), None)
    return {
        "num_params": entry["num_params"],
        "tokens_a_pass": entry["tokens"],
        "ms_fp32": _milliseconds(seconds.get("fp32")),
        "other": other,
        "ms_other": _milliseconds(seconds.get(other)),
        "taken": entry["taken"],
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def formats_sentence(table: pl.DataFrame) -> str:
    """Say for each architecture how often which format won, and by how much."""
    told = []
    for (architecture,), own in table.group_by("architecture", maintain_order=True):
        known = own.drop_nulls("quicker")
        text = f"Of {wording.plural(own.height, f'measured {architecture} configuration')}, "
        counts = own["taken"].value_counts(sort=True).sort("count", "taken", descending=True)
        text += wording.listing([f"{count} took {taken}" for taken, count in counts.iter_rows()])
        if not known.is_empty():
            ratios = known["quicker"].to_numpy()
            least, most = float(ratios.min()), float(ratios.max())
            others = wording.listing(known["other"].unique().sort().to_list())
            text += (
                f"; a step in {others} is {wording.significant(least, 2)} to "
                f"{wording.significant(most, 2)} times as fast as one in fp32"
                if known.height > 1
                else f"; a step in {others} is {wording.significant(most, 2)} times as fast as one "
                "in fp32"
            )
        told.append(text + ".")
    return " ".join(told) + " Every trial takes the format of the nearest one."


def formats_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw each measured configuration by its size and tokens a pass, with the ratio at it."""
    x = alt.X(
        "num_params:Q", title="Parameters", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")
    )
    y = alt.Y("tokens_a_pass:Q", title="Tokens a pass", scale=alt.Scale(type="log", padding=18))
    tips = [
        alt.Tooltip("architecture:N"),
        alt.Tooltip("num_params:Q", format=","),
        alt.Tooltip("tokens_a_pass:Q", format=","),
        alt.Tooltip("ms_fp32:Q", format=".3~s"),
        alt.Tooltip("ms_other:Q", format=".3~s"),
        alt.Tooltip("taken:N"),
    ]
    base = alt.Chart(table).encode(x=x, y=y, tooltip=tips)
    points = base.mark_point(size=70, filled=True).encode(
        shape=alt.Shape("taken:N", title="Takes"), color=alt.Color("taken:N", title="Takes")
    )
    ratios = base.mark_text(dy=-11, fontSize=11).encode(
        text=alt.Text("quicker:Q", format=".2~f"), opacity=alt.value(0.8)
    )
    return small_multiples(
        points, ratios, by="architecture", columns=3, size=(240, 170), sort=list(architectures),
        free=("x", "y"),
    )  # fmt: skip


def figure(results: Results) -> Figure | None:
    """Return what was measured as a figure; None where nothing was."""
    table = formats_table(results.formats)
    if table.is_empty():
        return None
    if len(results.sweeps) < 2:
        table = table.drop("sweep")
    return Figure(
        key="number-formats",
        title="What precision auto came to mean",
        panels=(
            Panel(
                sentence=formats_sentence(table),
                chart=formats_chart(table, results.architectures),
                table=table,
            ),
        ),
        note="The number at a point: how many times as fast as in fp32 a training step is in the "
        "other format, measured before the first trial. A lower precision is taken where it is at "
        "least 5 % faster.",
    )
