"""A power law by least squares, with bootstrap intervals, that refuses to extrapolate.

loss = floor + scale · x^(-exponent): for each exponent on a grid the other two follow in closed
form, and neither may be negative. The floor is kept only where the corrected Akaike criterion is
lower with it.

Source: J. Kaplan et al., Scaling Laws for Neural Language Models, 2020, for the form; K. P. Burnham
and D. R. Anderson, Multimodel Inference, 2004, for the criterion.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

MIN_POINTS: Final = 5
MIN_SPAN: Final = 4.0
NUM_RESAMPLES: Final = 250
EXPONENTS: Final = np.geomspace(0.01, 3.0, 160)


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
        """Return the 95 % bootstrap interval of the exponent."""
        low, high = np.quantile(self.resamples[:, 2], (0.025, 0.975))
        return float(low), float(high)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the loss at x, shape [K], with its 95 % band: shape [3, K], middle, low, high.

        Raises:
            ValueError: some x lies outside what was measured; a power law says nothing there.
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


def fit_power_law(x: np.ndarray, loss: np.ndarray, seed: int = 0) -> PowerLaw | None:
    """Fit the law; None with fewer than five distinct x or when they span less than fourfold.

    Args:
        x: sizes or compute, positive, shape [N].
        loss: loss at each x, shape [N].
        seed: seed of the bootstrap over points.
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
    """Return Akaike's criterion corrected for few points; infinite where it is not defined."""
    free = points - parameters - 2
    if free <= 0:
        return float("inf")
    k = parameters + 1
    return points * float(np.log(max(error, 1e-12) / points)) + 2 * k + 2 * k * (k + 1) / free


def _solve(
    z: np.ndarray, loss: np.ndarray, weights: np.ndarray, *, with_floor: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Solve weighted least squares for each row of weights.

    The best exponent on the grid is refined by the parabola through its error and its
    neighbours', and floor and scale are solved again there.

    Args:
        z: x over the law's centre, shape [N].
        loss: loss at each z, shape [N].
        weights: how often each point counts, shape [B, N].
        with_floor: whether the floor may be above zero.

    Returns:
        parameters (floor, scale, exponent), shape [B, 3], and squared errors, shape [B].
    """
    grid = z[None, :] ** -EXPONENTS[:, None]
    _, _, errors = _lines(grid[None], loss, weights[:, None], with_floor=with_floor)
    best = errors.argmin(axis=1).clip(1, len(EXPONENTS) - 2)
    rows = np.arange(len(best))
    left, middle, right = (errors[rows, best + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1), 0).clip(-1, 1)
    exponents = EXPONENTS[best] * (EXPONENTS[1] / EXPONENTS[0]) ** shift
    refined = z[None, :] ** -exponents[:, None]
    floor, scale, error = _lines(refined, loss, weights, with_floor=with_floor)
    return np.stack([floor, scale, exponents], axis=1), np.maximum(error, 0.0)


def _lines(
    basis: np.ndarray, loss: np.ndarray, weights: np.ndarray, *, with_floor: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return floor, scale and squared error of loss = floor + scale · basis, none negative.

    Args:
        basis: powers of z, shape [..., N].
        loss: loss at each z, shape [N].
        weights: how often each point counts, shape [..., N], broadcast against the basis.
        with_floor: whether the floor may be above zero.
    """
    total, mean = weights.sum(axis=-1), (weights * loss).sum(axis=-1)
    one, two = _sums(weights, basis), _sums(weights, basis**2)
    cross, squares = _sums(weights, basis * loss), (weights * loss**2).sum(axis=-1)
    spread = total * two - one**2
    solvable = spread > 1e-12 * np.abs(total * two)
    scale = np.where(solvable, (total * cross - one * mean) / np.where(solvable, spread, 1), 0.0)
    floor = (mean - scale * one) / total
    flat = (floor < 0) | (scale < 0) | (not with_floor)
    scale = np.where(flat, np.maximum(cross, 0) / two, scale)
    floor = np.where(flat, 0.0, floor)
    error = (
        squares - 2 * (floor * mean + scale * cross)
        + total * floor**2 + 2 * floor * scale * one + scale**2 * two
    )  # fmt: skip
    return floor, scale, error


def _sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weighted sums over the last axis, as one matrix product where the shapes allow."""
    if weights.ndim == 3:
        products: np.ndarray = weights[:, 0] @ values[0].T
        return products
    sums: np.ndarray = (weights * values).sum(axis=-1)
    return sums
