"""The exponents of power laws, held against the truth: points of a known law, with noise."""

import collections
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from benchmarks.truth.counts import Counts
from benchmarks.truth.worlds import NOISE
from picosweep.analysis.curves.scaling import scaling_fits, scaling_sentence

EXPONENT: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Law:
    """loss = floor + 3 · (x / centre)^(-.2) over a hundredfold of sizes, evenly apart."""

    sizes: int
    floor: float

    @property
    def name(self) -> str:
        """Words for a table."""
        return f"{self.sizes} sizes, {'a' if self.floor else 'no'} floor"


LAWS: Final = tuple(
    Law(sizes=sizes, floor=floor) for floor in (0.0, 2.0) for sizes in (5, 6, 8, 15)
)


def measure_scaling(law: Law, num_sweeps: int) -> Counts:
    """Return whether the exponent's interval, where one is told, and the loss's at the end hold."""
    found: Counts = collections.defaultdict(list)
    generator = np.random.default_rng([law.sizes, int(law.floor)])
    x = np.geomspace(1e4, 1e6, law.sizes)
    truth = law.floor + 3 * (x / 1e5) ** -EXPONENT
    for _ in range(num_sweeps):
        loss = truth + NOISE * generator.standard_normal(law.sizes)
        names = ["a"] * law.sizes
        fits = scaling_fits(pl.DataFrame({"architecture": names, "x": x, "loss": loss}))
        fit = fits[0][1]
        assert fit is not None
        told = scaling_sentence(fits, "num_params").startswith("Exponents of loss")
        found["an exponent is told"].append(told)
        low, high = fit.interval()
        if told:
            found["exponent: interval holds it"].append(low <= EXPONENT <= high)
        _, least, most = fit.predict(x[-1:])
        found["loss at the largest size: interval holds it"].append(
            least[0] <= truth[-1] <= most[0]
        )
    return found
