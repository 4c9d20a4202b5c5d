"""Quantiles of a law from a sample of it, with intervals that assume nothing of the law.

Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition 2003, section 7.1.
"""

import math
from typing import Final

import numpy as np
from scipy.stats import binom

CONFIDENCE: Final = 0.95


def quantile_interval(ordered: np.ndarray, share: float) -> tuple[float, float, float] | None:
    """Return a quantile, and the ends of its interval at 95 %, from an ascending sample.

    Args:
        ordered: sample in ascending order; it may end in infinities, of which nothing is known but
            that they lie above the others.
        share: share of the law below the quantile, between 0 and 1.

    Returns:
        quantile (the median-unbiased estimate, method 8 of Hyndman and Fan 1996), low, high
        (infinite where it lies among the infinities); None where the sample is too small to bound
        the quantile on both sides, or the estimate itself lies there.
    """
    size = len(ordered)
    tail = (1 - CONFIDENCE) / 2
    lower = int(binom.ppf(tail, size, share))
    upper = int(binom.ppf(1 - tail, size, share)) + 1
    if binom.cdf(lower - 1, size, share) > tail or lower < 1 or upper > size:
        return None
    # The estimate lies between the two values whose places are next to this one.
    place = size * share + (share + 1) / 3
    if not math.isfinite(ordered[min(size, math.ceil(place)) - 1]):
        return None
    finite = ordered[np.isfinite(ordered)]
    filled = np.concatenate([finite, np.full(size - len(finite), finite[-1])])
    middle = float(np.quantile(filled, share, method="median_unbiased"))
    return middle, float(ordered[lower - 1]), float(ordered[upper - 1])
