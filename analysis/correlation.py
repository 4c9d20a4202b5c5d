"""Which columns rise and fall together? Spearman correlations of everything numeric."""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from analysis import words
from analysis.figure import Chart, Figure, Panel
from analysis.results import Results
from analysis.style import rows, wide

METRICS: Final = (
    "val_loss", "train_loss", "val_accuracy", "bits_per_byte", "num_params", "flops", "seconds",
    "tokens_per_second", "peak_memory_bytes",
)  # fmt: skip
MIN_TRIALS: Final = 5
MAX_COLUMNS: Final = 24


def correlation_table(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Spearman correlation of each pair of columns over the rows that have all of them.

    Columns that are not numeric or do not vary are left out.

    Returns:
        x, y, correlation, trials: one row a pair, both ways round and the diagonal included.
    """
    numeric = [name for name in columns if frame.schema[name].is_numeric()]
    known = frame.select(numeric).drop_nulls()
    varied = [name for name in numeric if known[name].n_unique() > 1][:MAX_COLUMNS]
    schema = {"x": pl.String, "y": pl.String, "correlation": pl.Float64, "trials": pl.Int64}
    if len(varied) < 2 or known.height < MIN_TRIALS:
        return pl.DataFrame(schema=schema)
    ranks = known.select(pl.col(varied).rank("average")).to_numpy()
    matrix = np.corrcoef(ranks, rowvar=False)
    return pl.DataFrame(
        {
            "x": np.tile(varied, len(varied)),
            "y": np.repeat(varied, len(varied)),
            "correlation": matrix.ravel().clip(-1, 1),
            "trials": np.full(matrix.size, known.height),
        },
        schema=schema,
    )


def correlation_sentence(table: pl.DataFrame, settings: Sequence[str], loss: str) -> str:
    """The setting that goes most with the loss."""
    own = table.filter((pl.col("y") == loss) & pl.col("x").is_in(list(settings)))
    if own.is_empty():
        return "Too few trials or no numeric setting that varies."
    top = own.sort(pl.col("correlation").abs(), descending=True).row(0, named=True)
    direction = "more" if top["correlation"] > 0 else "less"
    return (
        f"Of the numeric settings {top['x']} goes most with the loss: the larger it is, the "
        f"{direction} loss (rank correlation {words.signed(top['correlation'])} over "
        f"{words.plural(top['trials'], 'trial')})."
    )


def correlation_chart(table: pl.DataFrame) -> Chart:
    """A matrix, orange where columns rise together and blue where one falls."""
    order = table["x"].unique(maintain_order=True).to_list()
    shown = table.with_columns(light=pl.col("correlation").abs() < 0.6)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "x:N",
            sort=order,
            title=None,
            axis=alt.Axis(labelAngle=-40, labelLimit=120, labelOverlap=False),
        ),
        y=alt.Y("y:N", sort=order, title=None),
    )
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "correlation:Q", scale=alt.Scale(domain=[-1, 0, 1], scheme="blueorange"), legend=None
        ),
        tooltip=[
            alt.Tooltip("x:N"),
            alt.Tooltip("y:N"),
            alt.Tooltip("correlation:Q", format=".2f"),
        ],
    )
    texts = base.mark_text(fontSize=10.5).encode(
        text=alt.Text("correlation:Q", format=".2f"),
        color=alt.ColorValue("#ffffff", condition={"test": "datum.light", "value": "#10151b"}),
    )
    return wide(cells, texts, height=rows(len(order), 27), least=620)


def figure(results: Results) -> Figure | None:
    """One panel an architecture, over its trials at full budget."""
    panels = []
    loss = results.metric.column
    metrics = list(dict.fromkeys([loss, *METRICS]))
    for name in results.architectures:
        whole = results.full_budget.filter(architecture=name)
        settings = [column for column in results.varied[name] if whole.schema[column].is_numeric()]
        table = correlation_table(whole, [*settings, *metrics])
        if table.is_empty():
            continue
        panels.append(
            Panel(
                label=name,
                sentence=f"{name}: {correlation_sentence(table, settings, loss)}",
                chart=correlation_chart(table),
                table=table,
            )
        )
    if not panels:
        return None
    return Figure(
        key="correlation",
        title="What goes with what",
        panels=tuple(panels),
        note=(
            "Spearman rank correlations over full-budget trials, repeats on fresh seeds included. "
            "Columns that do not vary are left out. Going together is not causing."
        ),
    )
