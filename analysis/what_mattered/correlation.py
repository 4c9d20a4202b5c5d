"""Which columns rise and fall together? Spearman correlations of everything numeric."""

import math
from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl
from scipy.special import stdtr

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.common_rung import title

METRICS: Final = (
    "val_loss", "train_loss", "val_accuracy", "bits_per_byte", "num_params", "flops", "seconds",
    "tokens_per_second", "peak_memory_bytes",
)  # fmt: skip
MIN_TRIALS: Final = 5
SIGNIFICANT: Final = 0.05
MAX_COLUMNS: Final = 24


def correlation_table(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the Spearman correlation of each pair of columns over the rows that have them all.

    Columns that are not numeric or do not vary are left out, and those after the first 24.

    Returns:
        x, y, correlation, trials: one row per pair, both ways round and the diagonal included;
        empty with fewer than five rows or two columns.
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
    """Say which setting correlates most with the loss, if any does by more than chance."""
    own = table.filter((pl.col("y") == loss) & pl.col("x").is_in(list(settings)))
    if own.is_empty():
        return "Too few trials, or no numeric setting that varies among them."
    top = own.sort(pl.col("correlation").abs(), descending=True).row(0, named=True)
    found = (
        f"rank correlation {wording.signed(top['correlation'])} over "
        f"{wording.plural(top['trials'], 'trial')}"
    )
    if luck(top["correlation"], top["trials"], own.height) > SIGNIFICANT:
        return (
            "No numeric setting goes with the loss by more than luck would; the nearest is "
            f"{top['x']} ({found})."
        )
    direction = "higher" if top["correlation"] > 0 else "lower"
    return (
        f"Of the numeric settings {top['x']} goes most with the loss: the larger it is, the "
        f"{direction} the loss ({found})."
    )


def luck(correlation: float, trials: int, looked_at: int) -> float:
    """Return the probability that the strongest of several correlations is due to chance.

    Corrected for the number of correlations looked at, after Bonferroni.
    """
    degrees = trials - 2
    if degrees < 1:
        return 1.0
    rest = max(1e-12, 1 - correlation**2)
    t = abs(correlation) * math.sqrt(degrees / rest)
    rarest = 2 / math.factorial(min(trials, 20))  # of a perfect order, to which t gives p = 0
    return min(1.0, looked_at * max(rarest, 2 * float(stdtr(degrees, -t))))


def correlation_chart(table: pl.DataFrame) -> Chart:
    """Draw a matrix, orange where columns rise together and blue where one falls."""
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
    """Return a panel of all architectures where there are several, then one each."""
    panels = []
    loss = results.metric.column
    metrics = list(dict.fromkeys([loss, *METRICS]))
    # Repeats on fresh seeds are one setting many times: they would count as independent trials.
    searched = results.full_budget.filter(pl.col("cohort") != "confirm")
    shared = [
        name
        for name in next(iter(results.varied.values()), ())
        if all(name in names for names in results.varied.values())
    ]
    groups = {name: (searched.filter(architecture=name), results.varied[name])
              for name in results.architectures}  # fmt: skip
    if len(groups) > 1:
        groups = {"All": (searched, tuple(shared)), **groups}
    for name, (whole, varied) in groups.items():
        settings = [column for column in varied if whole.schema[column].is_numeric()]
        table = correlation_table(whole, [*settings, *metrics])
        if table.is_empty():
            continue
        panels.append(
            Panel(
                label=name,
                sentence=f"{title(name)}: {correlation_sentence(table, settings, loss)}",
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
            "Spearman rank correlations over full-budget trials, repeats on fresh seeds left out. "
            "Columns that do not vary are left out, and architectures with fewer than "
            f"{MIN_TRIALS} such trials. Going together is not causing."
        ),
    )
