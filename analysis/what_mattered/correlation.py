"""Which columns rise and fall together? Spearman correlations of everything numeric."""

from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.common_rung import title
from picosweep.analysis.statistics.evidence import LEVEL, NUM_PERMUTATIONS

METRICS: Final = (
    "val_loss", "train_loss", "val_accuracy", "bits_per_byte", "num_params", "flops", "seconds",
    "tokens_per_second", "peak_memory_bytes",
)  # fmt: skip
MIN_TRIALS: Final = 5
MAX_COLUMNS: Final = 24
MAX_DEALT: Final = 4_000_000
"""Losses dealt in all; above some thousand trials there are fewer permutations."""


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


def correlation_sentence(
    table: pl.DataFrame, settings: Sequence[str], loss: str, chance: float
) -> str:
    """Say which setting correlates most with the loss, if any does by more than chance.

    Args:
        table: rows from `correlation_table`.
        settings: columns that are settings.
        loss: column of the loss.
        chance: what `strongest_by_chance` returned.
    """
    own = table.filter((pl.col("y") == loss) & pl.col("x").is_in(list(settings)))
    if own.is_empty():
        return "Too few trials, or no numeric setting that varies among them."
    top = own.sort(pl.col("correlation").abs(), descending=True).row(0, named=True)
    found = (
        f"rank correlation {wording.signed(top['correlation'])} over "
        f"{wording.plural(top['trials'], 'trial')}"
    )
    if chance > LEVEL:
        return (
            "No numeric setting goes with the loss by more than luck would; the nearest is "
            f"{top['x']} ({found})."
        )
    direction = "higher" if top["correlation"] > 0 else "lower"
    return (
        f"Of the numeric settings {top['x']} goes most with the loss: the larger it is, the "
        f"{direction} the loss ({found})."
    )


def strongest_by_chance(frame: pl.DataFrame, columns: Sequence[str], loss: str) -> float:
    """Return how likely chance alone gives a correlation as strong as the strongest one.

    The losses are dealt to the trials at random, and of each deal the strongest correlation with
    any setting counts, so the result allows for how many were looked at.

    Source: Westfall and Young 1993, "Resampling-Based Multiple Testing", section 2.3.

    Args:
        frame: one row per trial, as in `correlation_table`.
        columns: all columns of that table, of which rows have to have all.
        loss: column of the loss; the other ones are the settings that are looked at.
    """
    known = frame.select(columns).drop_nulls()
    varied = [name for name in columns if name != loss and known[name].n_unique() > 1]
    if not varied or known.height < MIN_TRIALS or known[loss].n_unique() < 2:
        return 1.0
    ranks = known.select(pl.col(*varied, loss).rank("average")).to_numpy()
    ranks = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    settings, own = ranks[:, :-1], ranks[:, -1]
    many = min(NUM_PERMUTATIONS, MAX_DEALT // known.height)
    dealt = np.random.default_rng(0).permuted(np.tile(own, (many, 1)), axis=1)
    strongest = np.abs(np.concatenate([own[None, :], dealt]) @ settings).max(axis=1)
    return float((strongest >= strongest[0] * (1 - 1e-9)).mean())


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
        among = [column for column in settings if column in set(table["x"])]
        chance = strongest_by_chance(whole, [*among, loss], loss) if among else 1.0
        panels.append(
            Panel(
                label=name,
                sentence=f"{title(name)}: {correlation_sentence(table, settings, loss, chance)}",
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
