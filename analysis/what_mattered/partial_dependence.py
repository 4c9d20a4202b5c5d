"""What would the loss be at each value of a setting, averaged over the other settings tried?

A random forest learns the loss from the settings; each setting in turn is then put at each of its
values for all trials, and the forest's predictions are averaged. The spread over trees shows where
the forest is guessing.

Source: J. H. Friedman, Greedy function approximation, 2001, section 8.2.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import altair as alt
import numpy as np
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
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.bins import binned
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import clear_settings, unshown_sentence
from picosweep.analysis.statistics.linear_model import is_logarithmic

MIN_TRIALS: Final = 12
MAX_TRIALS: Final = 500
MAX_SETTINGS: Final = 9
NUM_TREES: Final = 40
NUM_POINTS: Final = 12


def partial_dependence_table(
    frame: pl.DataFrame, settings: Sequence[str], seed: int = 0
) -> pl.DataFrame:
    """Return the mean predicted loss along each setting, with its 10 to 90 % spread over trees.

    Args:
        frame: one row per trial, with `loss` and the settings; rows that lack any are left out,
            and of more than 500 trials 500 take part.
        settings: hyperparameters to learn from; those that do not vary are left out.
        seed: seed of the sample and of the forest.

    Returns:
        setting, value (label), number (null of a choice), mean, low, high; empty with fewer than
        twelve trials. Settings are in the order of how far they move the mean, at most nine.
    """
    schema = {"setting": pl.String, "value": pl.String, "number": pl.Float64, "mean": pl.Float64,
              "low": pl.Float64, "high": pl.Float64}  # fmt: skip
    known = frame.drop_nulls(["loss", *settings])
    names = [name for name in settings if known[name].n_unique() > 1]
    if known.height < MIN_TRIALS or not names:
        return pl.DataFrame(schema=schema)
    known = known.sample(min(known.height, MAX_TRIALS), seed=seed)
    ensemble = import_module("sklearn.ensemble")  # slow to import, and not everywhere

    design = np.column_stack([_codes(known[name]) for name in names])
    forest = ensemble.RandomForestRegressor(NUM_TREES, min_samples_leaf=2, random_state=seed)
    forest.fit(design, known["loss"].to_numpy())
    parts = []
    for column, name in enumerate(names):
        grid = _grid(known[name])
        means = np.stack(
            [_mean_at(forest.estimators_, design, column, code) for code in grid["code"]]
        )
        low, high = np.quantile(means, (0.1, 0.9), axis=1)
        parts.append(
            grid.select(
                pl.lit(name).alias("setting"),
                "value",
                "number",
                mean=pl.Series(means.mean(axis=1)),
                low=pl.Series(low),
                high=pl.Series(high),
            )
        )
    table = pl.concat(parts)
    reach = table.group_by("setting").agg(reach=pl.col("mean").max() - pl.col("mean").min())
    kept = reach.sort("reach", "setting", descending=[True, False]).head(MAX_SETTINGS)
    return kept.select("setting").join(table, on="setting", maintain_order="left_right")


def _codes(values: pl.Series) -> np.ndarray:
    """Return a setting as numbers: itself, its logarithm when wide, or its place among values."""
    if not values.dtype.is_numeric():
        return binned(values)["order"].to_numpy()
    codes: np.ndarray = (values.log10() if is_logarithmic(values) else values).to_numpy()
    return codes


def _grid(values: pl.Series) -> pl.DataFrame:
    """Return the values to predict at: all, or of many numbers twelve, evenly spaced in order."""
    both = pl.DataFrame({"raw": values, "code": _codes(values)}).unique("code").sort("code")
    if values.dtype.is_numeric() and both.height > NUM_POINTS:
        both = both[np.linspace(0, both.height - 1, NUM_POINTS).round().astype(int)]
    known = None if are_choices(values) else both["raw"].cast(pl.Float64)
    return both.select(
        value=pl.Series([wording.setting(raw) for raw in both["raw"]], dtype=pl.String),
        number=pl.lit(known, dtype=pl.Float64),
        code="code",
    )


def _mean_at(trees: Sequence[Any], design: np.ndarray, column: int, code: float) -> np.ndarray:
    """Return each tree's mean prediction with one column held at a value."""
    held = design.copy()
    held[:, column] = code
    held = held.astype(np.float32)
    return np.array([tree.predict(held, check_input=False).mean() for tree in trees])


def partial_dependence_sentence(
    table: pl.DataFrame, evidence: pl.DataFrame, trials: int, metric: Metric
) -> str:
    """Say which of the settings that matter moves the prediction most, and its best value.

    Args:
        table: rows from `partial_dependence_table`.
        evidence: rows from `setting_evidence` about the same trials.
        trials: number of trials that could be compared.
        metric: the loss.
    """
    if table.is_empty():
        return "Too few trials to learn how the loss depends on the settings."
    if table["mean"].n_unique() == 1:
        return "The losses are all the same, so no setting moves them."
    shown = table.filter(pl.col("setting").is_in(clear_settings(evidence)))
    if shown.is_empty():
        return unshown_sentence(evidence, trials) + " These curves may be guesses at noise."
    first = shown.filter(pl.col("setting") == shown["setting"][0])
    best = first.sort("mean").row(0, named=True)
    reach = (wording.number(first["mean"].max()) or 0) - best["mean"]
    return (
        f"Averaged over the other settings, {best['setting']} moves the {metric.noun} most, by "
        f"{wording.significant(reach, 2)}, and is best near {best['value']} "
        f"({wording.loss(best['mean'])})."
    )


def partial_dependence_chart(table: pl.DataFrame, metric: Metric) -> Chart:
    """Draw a small chart per setting: the mean, and the spread over trees; choices apart."""
    scale = spanning(table["low"], table["high"])
    charts = {}
    for (name,), own in table.group_by("setting", maintain_order=True):
        base = alt.Chart(table).transform_filter(alt.datum.setting == name)
        y = alt.Y("mean:Q", title=metric.label, scale=scale)
        spread = {"y": alt.Y("low:Q", title=metric.label, scale=scale), "y2": alt.Y2("high:Q")}
        tooltip = [alt.Tooltip("setting:N"), alt.Tooltip("value:N"),
                   alt.Tooltip("mean:Q", format=".4f")]  # fmt: skip
        numbers = own["number"].drop_nulls()
        if numbers.is_empty():
            base = base.encode(x=choices_axis("value", own["value"].to_list()))
            layers = (base.mark_rule(strokeWidth=2, opacity=0.5).encode(**spread),
                      base.mark_point().encode(y=y, tooltip=tooltip))  # fmt: skip
        else:
            base = base.encode(x=number_axis("number", logarithmic=is_logarithmic(numbers)))
            layers = (base.mark_area(opacity=0.18).encode(**spread),
                      base.mark_line(point=True).encode(y=y, tooltip=tooltip))  # fmt: skip
        charts[str(name)] = layers
    return side_by_side(charts, columns=3, size=(240, 160))


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture, and one of all together; None without trials."""
    panels: list[Panel] = []
    lacking: list[str] = []
    compared = comparisons(results, pooled=True)
    for common in compared:
        name = common.name
        try:
            table = partial_dependence_table(common.frame, common.settings)
        except ImportError:
            sentence = f"{common.title}: this needs scikit-learn, which is not installed here."
            panels.append(Panel(label=name, sentence=sentence))
            continue
        if table.is_empty():
            lacking.append(name)
            continue
        told = partial_dependence_sentence(
            table, common.evidence, common.frame.height, results.metric
        )
        sentence = f"{common.title}: {told}"
        panels.append(
            Panel(
                label=name,
                sentence=f"{sentence} {common.sentence}",
                chart=partial_dependence_chart(table, results.metric),
                table=table,
            )
        )
    few = (
        f"{wording.listing(lacking)}: fewer than {MIN_TRIALS} trials compare, too few to learn "
        "from."
    )
    if lacking and not panels:
        panels.append(Panel(sentence=few))
    elif not panels:
        return None
    return Figure(
        key="partial-dependence",
        title=timed("Loss along each setting, the others averaged", compared),
        panels=tuple(panels),
        note=(
            f"A random forest of {NUM_TREES} trees; bands and bars are the middle 80 % of the "
            "trees. Where two settings were only tried together in some ways, the average imagines "
            "the rest. " + (few if lacking else "")
        ),
    )
