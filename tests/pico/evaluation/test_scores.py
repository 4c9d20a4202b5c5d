"""Scores: unbiased, with intervals that hold, and paired where two are compared."""

import itertools
import math

import pytest
from scipy import stats

from picosweep.pico.evaluation.scores import (
    Item,
    exact_interval,
    mean_share,
    paired_change,
    pass_at_k,
)


@pytest.mark.parametrize(
    ("samples", "right", "k", "chance"),
    [
        (2, 1, 1, 0.5),
        (2, 1, 2, 1.0),
        (5, 2, 3, 0.9),  # 1 - (1 - c / n)^k gives 0.784
        (200, 1, 100, 0.5),  # and here 0.394
        (10, 0, 5, 0.0),
        (10, 10, 3, 1.0),
    ],
)
def test_pass_at_k_has_its_known_values(samples: int, right: int, k: int, chance: float) -> None:
    """Chen et al.'s estimator, and no biased one."""
    assert pass_at_k(samples, right, k) == pytest.approx(chance)


def test_pass_at_k_is_the_share_of_all_draws() -> None:
    """Counted: every set of k among the samples."""
    for samples, right in itertools.product(range(1, 7), range(7)):
        if right > samples:
            continue
        for k in range(1, samples + 1):
            draws = list(itertools.combinations(range(samples), k))
            hit = sum(any(one < right for one in draw) for draw in draws)
            assert pass_at_k(samples, right, k) == pytest.approx(hit / len(draws))
    with pytest.raises(ValueError, match="k is 3; allowed: 1 to 2"):
        pass_at_k(2, 1, 3)


def test_none_of_fifty_is_at_most_six_in_a_hundred() -> None:
    """And all of fifty at least 94; between, Clopper and Pearson's interval."""
    assert exact_interval(0, 50) == (0.0, pytest.approx(0.058, abs=5e-4))
    assert exact_interval(50, 50) == (pytest.approx(0.942, abs=5e-4), 1.0)
    known = stats.binomtest(7, 40).proportion_ci(method="exact")
    assert exact_interval(7, 40) == (pytest.approx(known.low), pytest.approx(known.high))


def test_what_has_no_score_is_no_zero() -> None:
    """It leaves the mean alone; and nothing at all has no mean."""
    assert mean_share([1.0, None, 0.0]).mean == 0.5
    assert mean_share([1.0, None, 0.0]).items == 2
    assert mean_share([None, None]).mean is None


def _items(*scores: float | None) -> list[Item]:
    return [Item(section="s", item=str(place), score=s) for place, s in enumerate(scores)]


def test_changes_are_paired_by_item() -> None:
    """Student's interval of the differences; items that only one has do not count."""
    change = paired_change(_items(0.0, 0.5, 1.0, None), _items(0.5, 0.5, 1.0, 1.0))
    assert change is not None
    assert change.items == 3
    assert change.mean == pytest.approx(1 / 6)
    margin = stats.t.ppf(0.975, 2) * math.sqrt(1 / 12) / math.sqrt(3)
    assert change.high - change.mean == pytest.approx(margin)
    assert paired_change(_items(1.0), _items(0.0)) is None
    same = paired_change(_items(*[0.0] * 49), _items(*[0.0] * 49))
    assert same is not None
    assert (same.low, same.high) == (-0.02, 0.02)
