"""A power law with a floor, with intervals that say when the points cannot pin it down.

loss = floor + scale · x^(-exponent): for each exponent on a grid the other two follow in closed
form, and neither may be negative. The floor is always fitted: left out where a few points do not
ask for it, it makes the exponent's interval miss the truth almost always.

The interval of anything is all of its values at which the squared error is at most
1 + F(0.95; 1, N - 3) / (N - 3) times the least one (profile likelihood for normal errors).

Sources: J. Kaplan et al., Scaling Laws for Neural Language Models, 2020, for the form; T. Besiroglu
et al., Chinchilla Scaling: A Replication Attempt, 2024, for what too narrow intervals do; D. M.
Bates and D. G. Watts, Nonlinear Regression Analysis, 1988, section 6.1, for the profile.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import fdtri

MIN_POINTS: Final = 5
MIN_SPAN: Final = 4.0
EXPONENTS: Final = np.geomspace(0.01, 5.0, 200)
NUM_PROFILE: Final = 60
LEAST_ERROR: Final = 1e-12
"""Squared error below which points lie on the law to the last digit."""
CONFIDENCE: Final = 0.95
MAX_RATIO: Final = 5.0
"""Largest ratio of an interval's ends at which an exponent still says something."""


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """loss = floor + scale · (x / centre)^(-exponent), and the exponents that fit as well."""

    floor: float
    scale: float
    exponent: float
    centre: float
    x: np.ndarray
    """Where it was measured, shape [N]."""
    exponents: np.ndarray
    """Exponents inside the interval, ascending, shape [K]."""
    floors: np.ndarray
    scales: np.ndarray
    slack: np.ndarray
    """How much more squared error each of them may have, shape [K]."""
    open: bool
    """Whether the interval runs past what was looked at: the points do not bound it."""

    @property
    def low(self) -> float:
        """Least x that was measured."""
        return float(self.x.min())

    @property
    def high(self) -> float:
        """Largest x that was measured."""
        return float(self.x.max())

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the exponent."""
        return float(self.exponents[0]), float(self.exponents[-1])

    @property
    def is_pinned_down(self) -> bool:
        """Whether the exponent's interval is bounded and says something."""
        low, high = self.interval()
        return not self.open and high <= MAX_RATIO * low

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
        basis = z[None, :] ** -self.exponents[:, None]
        measured = (self.x / self.centre)[None, :] ** -self.exponents[:, None]
        mean = measured.mean(axis=1, keepdims=True)
        spread = ((measured - mean) ** 2).sum(axis=1, keepdims=True)
        # Of all lines over one basis whose error stays in bounds, how far they reach at z.
        leverage = 1 / len(self.x) + (basis - mean) ** 2 / spread
        reach = np.sqrt(self.slack[:, None] * leverage)
        middles = self.floors[:, None] + self.scales[:, None] * basis
        middle = self.floor + self.scale * z**-self.exponent
        return np.stack([middle, (middles - reach).min(axis=0), (middles + reach).max(axis=0)])


def fit_power_law(x: np.ndarray, loss: np.ndarray) -> PowerLaw | None:
    """Fit the law; None with fewer than five distinct x or when they span less than fourfold.

    Args:
        x: sizes or compute, positive, shape [N].
        loss: loss at each x, shape [N].
    """
    if len(np.unique(x)) < MIN_POINTS or x.max() / x.min() < MIN_SPAN:
        return None
    centre = float(np.exp(np.log(x).mean()))
    z = x / centre

    def error(exponent: float) -> float:
        return float(_lines(z[None, :] ** -exponent, loss)[2][0])

    errors = _lines(z[None, :] ** -EXPONENTS[:, None], loss)[2]
    place = int(errors.argmin())
    near = (
        float(EXPONENTS[max(0, place - 1)]),
        float(EXPONENTS[min(len(EXPONENTS), place + 2) - 1]),
    )
    exponent = float(minimize_scalar(error, bounds=near, method="bounded").x)
    free = len(x) - 3
    limit = max(error(exponent), LEAST_ERROR) * (1 + float(fdtri(1, free, CONFIDENCE)) / free)
    outside = errors > limit
    below = EXPONENTS[outside & (exponent > EXPONENTS)][-1:]
    above = EXPONENTS[outside & (exponent < EXPONENTS)][:1]

    def crossing(end: float) -> float:
        return float(brentq(lambda candidate: error(candidate) - limit, exponent, end))

    low = crossing(below[0]) if len(below) else float(EXPONENTS[0])
    high = crossing(above[0]) if len(above) else float(EXPONENTS[-1])
    exponents = np.unique([*np.geomspace(low, high, NUM_PROFILE), exponent])
    floors, scales, inside = _lines(z[None, :] ** -exponents[:, None], loss)
    (floor,), (scale,), _ = _lines(z[None, :] ** -exponent, loss)
    return PowerLaw(
        floor=float(floor), scale=float(scale), exponent=exponent, centre=centre, x=x,
        exponents=exponents, floors=floors, scales=scales, slack=np.maximum(limit - inside, 0.0),
        open=not (len(below) and len(above)),
    )  # fmt: skip


def _lines(basis: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return floor, scale and squared error of loss = floor + scale · basis, none negative.

    Args:
        basis: powers of z, shape [K, N].
        loss: loss at each z, shape [N].
    """
    centred = basis - basis.mean(axis=1, keepdims=True)
    spread = (centred**2).sum(axis=1)
    scale = (centred * loss).sum(axis=1) / np.where(spread > 0, spread, 1)
    floor = loss.mean() - scale * basis.mean(axis=1)
    floorless = np.maximum((basis * loss).sum(axis=1), 0) / (basis**2).sum(axis=1)
    flat = scale < 0
    scale = np.where(floor < 0, floorless, np.where(flat, 0.0, scale))
    floor = np.where(flat, loss.mean(), np.where(floor < 0, 0.0, floor))
    errors = ((floor[:, None] + scale[:, None] * basis - loss) ** 2).sum(axis=1)
    return floor, scale, errors
