"""How does the loss fall with size and compute? A power law, fitted and not stretched."""

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import (
    PICKED,
    color,
    pickable,
    shape,
    small_multiples,
    when,
    wide,
)
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.power_law import MIN_POINTS, MIN_SPAN, PowerLaw, fit_power_law

BINS_PER_DECADE: Final = 8
AXES: Final[Mapping[str, str]] = {"num_params": "Parameters", "flops": "Training FLOPs"}

Fitted = tuple[str, PowerLaw | None, pl.DataFrame]
"""An architecture, its law (None where there are not enough points) and its points."""


def scaling_points(results: Results, axis: str) -> pl.DataFrame:
    """Return the least loss at each size, or at each amount of compute.

    Sizes: the best full-budget trial of each parameter count. Compute: the best report of any
    trial in each eighth of a decade, as long as the loss keeps falling, and of each trial the first
    such report alone, because the points of one curve err together.

    Returns:
        architecture, x, loss, trial_id.
    """
    column = results.metric.column
    if axis == "num_params":
        frame = results.full_budget.select("architecture", "trial_id", x="num_params", loss=column)
        key = pl.col("x")
    else:
        frame = results.reports.select("architecture", "trial_id", x=axis, loss=column)
        key = (pl.col("x").log10() * BINS_PER_DECADE).floor()
    frame = frame.drop_nulls().filter(pl.col("x") > 0).with_columns(pl.col("x").cast(pl.Float64))
    least = pl.col("loss").arg_min()
    best = (
        frame.with_columns(bin=key)
        .group_by("architecture", "bin")
        .agg(pl.col("trial_id", "x", "loss").get(least))
        .sort("architecture", "x")
    )
    if axis != "num_params":
        falling = pl.col("loss") <= pl.col("loss").cum_min().over("architecture")
        best = best.filter(falling).unique("trial_id", keep="first", maintain_order=True)
    return best.select("architecture", "x", "loss", "trial_id")


def scaling_table(fits: Sequence[Fitted]) -> pl.DataFrame:
    """Return the fitted law of each architecture; nulls where there are not enough points.

    Returns:
        architecture, points, exponent, exponent_low, exponent_high, floor, scale, from, to (range
        of x over all points).
    """
    found = []
    for name, fit, frame in fits:
        low, high = fit.interval() if fit else (None, None)
        found.append(
            {
                "architecture": name,
                "points": frame.height,
                "exponent": fit.exponent if fit else None,
                "exponent_low": low,
                "exponent_high": high,
                "floor": fit.floor if fit else None,
                "scale": fit.scale * fit.centre**fit.exponent if fit else None,
                "from": wording.number(frame["x"].min()),
                "to": wording.number(frame["x"].max()),
            }
        )
    schema = {
        "architecture": pl.String, "points": pl.Int64, "exponent": pl.Float64,
        "exponent_low": pl.Float64, "exponent_high": pl.Float64, "floor": pl.Float64,
        "scale": pl.Float64, "from": pl.Float64, "to": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def scaling_fits(points: pl.DataFrame) -> list[Fitted]:
    """Fit a law to each architecture's points."""
    return [
        (str(name), fit_power_law(frame["x"].to_numpy(), frame["loss"].to_numpy()), frame)
        for (name,), frame in points.group_by("architecture", maintain_order=True)
    ]


def scaling_lines(fits: Sequence[Fitted]) -> pl.DataFrame:
    """Return the curves that the points pin down, with bands, over the measured range only."""
    parts = []
    for name, fit, _ in fits:
        if fit is None or not fit.is_pinned_down:
            continue
        x = np.geomspace(fit.low, fit.high, 40)
        middle, low, high = fit.predict(x.clip(fit.low, fit.high))
        parts.append(
            pl.DataFrame({"x": x, "fit": middle, "low": low, "high": high}).select(
                pl.lit(name).alias("architecture"), pl.all()
            )
        )
    schema = {"architecture": pl.String, **dict.fromkeys(("x", "fit", "low", "high"), pl.Float64)}
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def scaling_sentence(fits: Sequence[Fitted], axis: str) -> str:
    """Say the exponents that the points pin down, and which architectures' points do not.

    Args:
        fits: what `scaling_fits` returned.
        axis: `num_params` or `flops`.
    """
    parts, loose, lacking = [], [], []
    for name, fit, _ in fits:
        if fit is None:
            lacking.append(name)
            continue
        low, high = (wording.significant(end, 2) for end in fit.interval())
        if fit.is_pinned_down:
            parts.append(f"{name} {wording.significant(fit.exponent, 2)} ({low} to {high})")
        else:
            loose.append(f"{name} ({low} to {'more' if fit.open else high})")
    noun = AXES[axis].lower().replace("flops", "FLOPs")
    found = []
    if parts:
        found.append(f"Exponents of loss against {noun}, at 95 %: {wording.listing(parts)}.")
    if loose:
        found.append(
            f"The points do not pin down an exponent against {noun} for {wording.listing(loose)}: "
            "it takes more sizes, farther apart."
        )
    if lacking:
        found.append(
            f"Not enough points for {wording.listing(lacking)}: a fit wants at least {MIN_POINTS} "
            f"different values that span a factor of {MIN_SPAN:.0f}."
        )
    return " ".join(found) or "No trial to fit a law to."


def scaling_chart(
    points: pl.DataFrame, lines: pl.DataFrame, axis: str, architectures: Sequence[str],
    metric: Metric,
) -> Chart:  # fmt: skip
    """Draw points, and the fitted lines over their range with bands: several of them apart."""
    scale = alt.Scale(type="log", nice=False, padding=10)
    x = alt.X("x:Q", title=AXES[axis], scale=scale,
              axis=alt.Axis(format="~s", grid=False, labelOverlap=True))  # fmt: skip
    y_scale = alt.Scale(type="log", nice=False, padding=10)
    ticks = alt.Axis(tickCount=6, format=".3~g")
    apart = lines["architecture"].n_unique() > 1
    both = pl.concat([points, lines], how="diagonal")
    base = alt.Chart(both).encode(x=x, color=color(architectures, legend=not apart))
    dots = base.transform_filter("isValid(datum.loss)").mark_point().encode(
        size=alt.SizeValue(**when(70, (PICKED, 320))),
        y=alt.Y("loss:Q", title=metric.label, scale=y_scale, axis=ticks),
        shape=shape(architectures, legend=not apart),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"),
                 alt.Tooltip("x:Q", format=".3~s"), alt.Tooltip("loss:Q", format=".4f")],
    )  # fmt: skip
    fitted = base.transform_filter("isValid(datum.fit)")
    bands = fitted.mark_area(opacity=0.13).encode(
        y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q")
    )
    curves = fitted.mark_line(strokeWidth=1.8).encode(y=alt.Y("fit:Q", scale=y_scale))
    if apart:
        return small_multiples(
            bands, curves, pickable(dots), by="architecture", columns=3, size=(240, 210)
        )
    layers = (pickable(dots),) if lines.is_empty() else (bands, curves, pickable(dots))
    return wide(*layers, height=300)


def figure(results: Results) -> Figure | None:
    """Return loss against parameters and against compute; None without points."""
    panels = []
    for axis, label in AXES.items():
        points = scaling_points(results, axis)
        if points.is_empty():
            continue
        fits = scaling_fits(points)
        table = scaling_table(fits)
        panels.append(
            Panel(
                label=label,
                sentence=scaling_sentence(fits, axis),
                chart=scaling_chart(
                    points, scaling_lines(fits), axis, results.architectures, results.metric
                ),
                table=table,
            )
        )
    if not panels:
        return None
    return Figure(
        key="scaling",
        title="Loss against size and compute",
        panels=tuple(panels),
        note=(
            "A power law with a floor; intervals are profiles of the squared error, so they take "
            "the points' scatter for normal and independent. Against compute each trial gives one "
            "point. Only laws that the points pin down are drawn, and they end where the data "
            "ends: nothing is said about larger models."
        ),
    )
