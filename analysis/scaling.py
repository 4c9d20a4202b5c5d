"""How does the loss fall with size and compute? A power law, fitted and not stretched.

loss = floor + scale · x^(-exponent), by least squares: for each exponent on a fine grid the other
two follow in closed form (neither may be negative). The floor is kept only where it earns its
place by the corrected Akaike criterion. Nothing is ever predicted outside the range of the data.

Source: J. Kaplan et al., Scaling Laws for Neural Language Models, 2020, for the form; K. P. Burnham
and D. R. Anderson, Multimodel Inference, 2004, for the criterion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from analysis import words
from analysis.figure import Chart, Figure, Panel
from analysis.results import Metric, Results
from analysis.style import color, shape, to_width

MIN_POINTS: Final = 5
MIN_SPAN: Final = 4.0
NUM_RESAMPLES: Final = 250
EXPONENTS: Final = np.geomspace(0.01, 3.0, 160)
BINS_PER_DECADE: Final = 8
AXES: Final[Mapping[str, str]] = {"num_params": "Parameters", "flops": "Training FLOPs"}


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """loss = floor + scale · (x / centre)^(-exponent), with resampled parameters."""

    floor: float
    scale: float
    exponent: float
    centre: float
    low: float
    """Least x that was measured."""
    high: float
    """Largest x that was measured."""
    resamples: np.ndarray
    """Shape [B, 3]: floor, scale and exponent of each bootstrap resample."""

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the exponent."""
        low, high = np.quantile(self.resamples[:, 2], (0.025, 0.975))
        return float(low), float(high)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Loss with its 95 % band, shape [3, K]: middle, low, high.

        Raises:
            ValueError: Some x lies outside what was measured; a power law says nothing there.
        """
        if x.min() < self.low * (1 - 1e-9) or x.max() > self.high * (1 + 1e-9):
            raise ValueError(
                f"the fit covers {self.low:g} to {self.high:g}, not {x.min():g} to {x.max():g}"
            )
        z = x / self.centre
        floor, scale, exponent = self.resamples.T[:, :, None]
        many = floor + scale * z[None, :] ** -exponent
        low, high = np.quantile(many, (0.025, 0.975), axis=0)
        return np.stack([self.floor + self.scale * z**-self.exponent, low, high])


Fitted = tuple[str, PowerLaw | None, pl.DataFrame]
"""An architecture, its law (null where there are not enough points) and its points."""


def fit_power_law(x: np.ndarray, loss: np.ndarray, seed: int = 0) -> PowerLaw | None:
    """Fits the law; null with fewer than five distinct x or when they span less than fourfold.

    Args:
        x: Sizes or compute, positive, shape [N].
        loss: Shape [N].
        seed: Of the bootstrap over points.
    """
    if len(np.unique(x)) < MIN_POINTS or x.max() / x.min() < MIN_SPAN:
        return None
    centre = float(np.exp(np.log(x).mean()))
    weights = np.ones((1, len(x)))
    plain, plain_error = _solve(x / centre, loss, weights, with_floor=False)
    lifted, lifted_error = _solve(x / centre, loss, weights, with_floor=True)
    with_floor = _criterion(lifted_error[0], len(x), 3) < _criterion(plain_error[0], len(x), 2)
    floor, scale, exponent = (lifted if with_floor else plain)[0]
    counts = np.random.default_rng(seed).multinomial(
        len(x), np.full(len(x), 1 / len(x)), NUM_RESAMPLES
    )
    counts = counts[(counts > 0).sum(axis=1) >= 3]
    resamples, _ = _solve(x / centre, loss, counts.astype(float), with_floor=with_floor)
    return PowerLaw(
        floor=float(floor), scale=float(scale), exponent=float(exponent), centre=centre,
        low=float(x.min()), high=float(x.max()), resamples=resamples,
    )  # fmt: skip


def _criterion(error: float, points: int, parameters: int) -> float:
    """Akaike's criterion corrected for few points; infinite where it is not defined."""
    free = points - parameters - 2
    if free <= 0:
        return float("inf")
    k = parameters + 1
    return points * float(np.log(max(error, 1e-12) / points)) + 2 * k + 2 * k * (k + 1) / free


def _solve(
    z: np.ndarray, loss: np.ndarray, weights: np.ndarray, *, with_floor: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares for each row of weights.

    Args:
        z: Shape [N].
        loss: Shape [N].
        weights: Shape [B, N].
        with_floor: Whether the floor may be above zero.

    Returns:
        Parameters (floor, scale, exponent), shape [B, 3], and squared errors, shape [B].
    """
    basis = z[:, None] ** -EXPONENTS[None, :]
    total = weights.sum(axis=1, keepdims=True)
    one, two = weights @ basis, weights @ basis**2
    cross, mean = weights @ (basis * loss[:, None]), (weights @ loss)[:, None]
    if with_floor:
        spread = total * two - one**2
        scale = np.where(
            spread > 1e-12, (total * cross - one * mean) / np.maximum(spread, 1e-12), 0
        )
        floor = (mean - scale * one) / total
        bad = (floor < 0) | (scale < 0)
    else:
        bad = np.ones_like(cross, dtype=bool)
        scale, floor = np.zeros_like(cross), np.zeros_like(cross)
    scale = np.where(bad, np.maximum(cross, 0) / two, scale)
    floor = np.where(bad, 0.0, floor)
    squares = (weights @ loss**2)[:, None]
    error = (
        squares - 2 * (floor * mean + scale * cross)
        + total * floor**2 + 2 * floor * scale * one + scale**2 * two
    )  # fmt: skip
    best = error.argmin(axis=1)
    rows = np.arange(len(best))
    found = np.stack([floor[rows, best], scale[rows, best], EXPONENTS[best]], axis=1)
    return found, np.maximum(error[rows, best], 0.0)


def scaling_points(results: Results, axis: str) -> pl.DataFrame:
    """The least loss at each size, or at each spend of compute.

    Sizes: the best full-budget trial of each parameter count. Compute: the best report of any
    trial in each eighth of a decade, as long as the loss keeps falling.

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
    best = (
        frame.with_columns(bin=key)
        .sort("loss", "x")
        .unique(["architecture", "bin"], keep="first", maintain_order=True)
        .sort("architecture", "x")
    )
    if axis != "num_params":
        falling = pl.col("loss") <= pl.col("loss").cum_min().over("architecture")
        best = best.filter(falling)
    return best.select("architecture", "x", "loss", "trial_id")


def scaling_table(fits: Sequence[Fitted]) -> pl.DataFrame:
    """The fitted law of each architecture; nulls where there are not enough points.

    Returns:
        architecture, points, exponent, exponent_low, exponent_high, floor, scale, low, high (the
        range of x that it covers).
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
                "from": words.number(frame["x"].min()),
                "to": words.number(frame["x"].max()),
            }
        )
    schema = {
        "architecture": pl.String, "points": pl.Int64, "exponent": pl.Float64,
        "exponent_low": pl.Float64, "exponent_high": pl.Float64, "floor": pl.Float64,
        "scale": pl.Float64, "from": pl.Float64, "to": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def scaling_fits(points: pl.DataFrame) -> list[Fitted]:
    """The law of each architecture, beside its points."""
    return [
        (str(name), fit_power_law(frame["x"].to_numpy(), frame["loss"].to_numpy()), frame)
        for (name,), frame in points.group_by("architecture", maintain_order=True)
    ]


def scaling_lines(fits: Sequence[Fitted]) -> pl.DataFrame:
    """The fitted curves with bands, over the measured range only."""
    parts = []
    for name, fit, _ in fits:
        if fit is None:
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


def scaling_sentence(table: pl.DataFrame, axis: str) -> str:
    """Exponents with intervals, and who has too few points."""
    fitted = table.filter(pl.col("exponent").is_not_null())
    lacking = table.filter(pl.col("exponent").is_null())["architecture"].to_list()
    parts = [
        f"{row['architecture']} {words.significant(row['exponent'], 2)} "
        f"({words.significant(row['exponent_low'], 2)} to "
        f"{words.significant(row['exponent_high'], 2)})"
        for row in fitted.iter_rows(named=True)
    ]
    noun = AXES[axis].lower().replace("flops", "FLOPs")
    text = f"Exponents of loss against {noun}: {words.listing(parts)}." if parts else ""
    if lacking:
        text += (
            f" Not enough points for {words.listing(lacking)}: a fit wants at least {MIN_POINTS} "
            f"different values that span a factor of {MIN_SPAN:.0f}."
        )
    return text.strip() or "No trial to fit a law to."


def scaling_chart(
    points: pl.DataFrame, lines: pl.DataFrame, axis: str, architectures: Sequence[str],
    metric: Metric,
) -> Chart:  # fmt: skip
    """Points, fitted lines over their range, bands."""
    scale = alt.Scale(type="log", nice=False, padding=10)
    x = alt.X("x:Q", title=AXES[axis], scale=scale,
              axis=alt.Axis(format="~s", grid=False, labelOverlap=True))  # fmt: skip
    y_scale = alt.Scale(type="log", nice=False, padding=10)
    ticks = alt.Axis(tickCount=6, format=".3~g")
    dots = alt.Chart(points).mark_point(size=70).encode(
        x=x, y=alt.Y("loss:Q", title=metric.label, scale=y_scale, axis=ticks),
        color=color(architectures), shape=shape(architectures),
        tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("trial_id:N"),
                 alt.Tooltip("x:Q", format=".3~s"), alt.Tooltip("loss:Q", format=".4f")],
    )  # fmt: skip
    if lines.is_empty():
        return to_width(dots, 300)
    base = alt.Chart(lines).encode(x=x, color=color(architectures))
    bands = base.mark_area(opacity=0.13).encode(
        y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q")
    )
    curves = base.mark_line(strokeWidth=1.8).encode(y=alt.Y("fit:Q", scale=y_scale))
    return to_width(alt.layer(bands, curves, dots), 300)


def figure(results: Results) -> Figure | None:
    """Against parameters and compute."""
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
                sentence=scaling_sentence(table, axis),
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
            "A power law with a floor where the data asks for one; intervals from resampling the "
            "points. Lines end where the data ends: nothing is said about larger models."
        ),
    )
