"""Where in each setting's range do the good trials lie?"""

from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.setting_axes import (
    are_choices,
    choices_axis,
    number_axis,
    side_by_side,
    spanning,
)
from picosweep.analysis.page.style import PICKED, pickable, when
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import LEVEL, more_common_than_chance
from picosweep.analysis.statistics.linear_model import is_logarithmic

MAX_SETTINGS: Final = 9
MAX_POINTS: Final = 1200
BEST: Final = 0.25
MIN_VALUES: Final = 3
EDGE: Final = 0.15


def slices_table(frame: pl.DataFrame, settings: Sequence[str], seed: int = 0) -> pl.DataFrame:
    """Return one row per numeric setting and trial: its place in the setting's range, and the loss.

    Args:
        frame: one row per trial, with `loss`, `trial_id` and the settings.
        settings: hyperparameters; of the first nine numeric ones those that vary are kept.
        seed: seed of the draw of trials when there are more than 1,200 points.

    Returns:
        trial_id, loss, best (whether the trial is in the best quarter), setting, value, place (0
        to 1, on a log scale for wide settings).
    """
    cut = frame["loss"].quantile(BEST, "lower")
    numeric = [name for name in settings if frame.schema[name].is_numeric()][:MAX_SETTINGS]
    drawn = frame.sample(min(frame.height, MAX_POINTS // max(1, len(numeric))), seed=seed)
    parts = []
    for name in numeric:
        known = drawn.filter(pl.col(name).is_not_null())
        values = known[name].cast(pl.Float64)
        if values.n_unique() < 2:
            continue
        scaled = values.log10() if is_logarithmic(known[name]) else values
        low, high = scaled.to_numpy().min(), scaled.to_numpy().max()
        parts.append(
            known.select("trial_id", "loss", best=pl.col("loss") <= cut).with_columns(
                setting=pl.lit(name),
                value=values,
                place=(scaled - low) / (high - low),
            )
        )
    schema = {
        "trial_id": pl.String, "loss": pl.Float64, "best": pl.Boolean, "setting": pl.String,
        "value": pl.Float64, "place": pl.Float64,
    }  # fmt: skip
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def crowded_edges(table: pl.DataFrame) -> pl.DataFrame:
    """Return the ends of ranges at which the best trials crowd by more than chance.

    An end is the outer 15 % of what was searched. As many of the best quarter as lie there, or
    more, have to be unlikely (5 % for both ends of all settings together, Bonferroni) were the best
    any trials.

    Args:
        table: rows from `slices_table`.

    Returns:
        setting, end (`lower` or `upper`), times (best trials there), best, overall (trials there),
        trials.
    """
    found = []
    settings = [
        (name, own)
        for (name,), own in table.group_by("setting", maintain_order=True)
        if own["value"].n_unique() >= MIN_VALUES
    ]
    for name, own in settings:
        best = own.filter("best").height
        for end, there in (
            ("lower", pl.col("place") <= EDGE),
            ("upper", pl.col("place") >= 1 - EDGE),
        ):
            overall = own.filter(there).height
            times = own.filter(there & pl.col("best")).height
            chance = more_common_than_chance(times, best, overall, own.height)
            if times and chance * 2 * len(settings) <= LEVEL:
                found.append(
                    {
                        "setting": name,
                        "end": end,
                        "times": times,
                        "best": best,
                        "overall": overall,
                        "trials": own.height,
                    }
                )
    schema = {
        "setting": pl.String,
        "end": pl.String,
        "times": pl.Int64,
        "best": pl.Int64,
        "overall": pl.Int64,
        "trials": pl.Int64,
    }
    return pl.DataFrame(found, schema=schema)


def slices_sentence(table: pl.DataFrame) -> str:
    """Say which settings' best trials lie at an edge of the range, which should then be wider."""
    if table.is_empty():
        return "No numeric setting varies."
    edges = [
        f"{row['setting']} at its {row['end']} end ({row['times']} of {row['best']}, where "
        f"{row['overall']} of {row['trials']} in all lie)"
        for row in crowded_edges(table).iter_rows(named=True)
    ]
    if edges:
        return (
            "The best quarter of the trials crowds an edge of the range that was searched, so a "
            f"wider range may pay: {wording.listing(edges)}."
        )
    trials = wording.plural(table["trial_id"].n_unique(), "trial")
    return f"{trials} do not show the best to crowd an edge of any range that was searched."


def slices_chart(table: pl.DataFrame, metric: Metric) -> Chart:
    """Draw a small scatter plot per setting; the best quarter is opaque."""
    scale = spanning(table["loss"])
    labelled = table.with_columns(
        label=pl.col("value").map_elements(wording.setting, return_dtype=pl.String)
    )
    charts = {}
    for (name,), own in labelled.group_by("setting", maintain_order=True):
        if are_choices(own["value"]):
            x = choices_axis(
                "label", own.sort("value")["label"].unique(maintain_order=True).to_list()
            )
        else:
            x = number_axis("value", logarithmic=is_logarithmic(own["value"]))
        points = (
            alt.Chart(labelled)
            .transform_filter(alt.datum.setting == name)
            .mark_point()
            .encode(
                x=x,
                y=alt.Y("loss:Q", title=metric.label, scale=scale),
                opacity=alt.OpacityValue(**when(0.3, (PICKED, 1), ("datum.best", 1))),
                size=alt.SizeValue(**when(34, (PICKED, 260))),
                tooltip=[alt.Tooltip("trial_id:N"), alt.Tooltip("value:Q", format=".4~g"),
                         alt.Tooltip("loss:Q", format=".4f")],
            )
        )  # fmt: skip
        charts[str(name)] = (points,)
    return pickable(side_by_side(charts, columns=3, size=(240, 180)))


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture; None where no numeric setting varies."""
    panels = []
    compared = comparisons(results)
    for common in compared:
        table = slices_table(common.frame, common.settings)
        if table.is_empty():
            continue
        panels.append(
            Panel(
                label=common.name,
                sentence=f"{common.title}: {slices_sentence(table)} {common.sentence}",
                chart=slices_chart(table, results.metric),
                table=table.drop("place"),
            )
        )
    if not panels:
        return None
    return Figure(
        key="slices",
        title=timed("Where the good trials lie", compared),
        panels=tuple(panels),
        note="Each dot is a trial; full ones are the best quarter.",
    )
