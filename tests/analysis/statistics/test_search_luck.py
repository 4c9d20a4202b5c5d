"""Whether a lead is more than the luck of a search."""

import itertools

import numpy as np
import polars as pl
import pytest

from picosweep.analysis.statistics.search_luck import SHUFFLES, search_luck


def trials(losses: dict[str, list[float | None]]) -> pl.DataFrame:
    """Searched trials by architecture; None for one that was stopped early."""
    return pl.DataFrame(
        [
            {
                "architecture": name, "sweep": "s", "cohort": "searched", "val_loss": loss or 9.0,
                "status": "completed" if loss else "stopped", "rung": 2 if loss else 0,
            }
            for name, own in losses.items()
            for loss in own
        ]
    )  # fmt: skip


def test_share_of_shuffles_is_the_exact_one() -> None:
    """Against every arrangement of six trials, stopped ones among them."""
    found = {"a": [1.0, 3.0, None], "b": [1.4, 1.6, 2.0]}
    values = np.array([loss or np.inf for own in found.values() for loss in own])

    def lead(first: tuple[int, ...]) -> float:
        mask = np.isin(np.arange(6), first)
        return abs(values[mask].min() - values[~mask].min())

    arrangements = [lead(first) for first in itertools.combinations(range(6), 3)]
    exact = np.mean([one >= lead((0, 1, 2)) - 1e-12 for one in arrangements])
    assert search_luck(trials(found), "val_loss") == pytest.approx(exact, abs=0.03)


def test_equals_are_called_different_as_rarely_as_stated() -> None:
    """Uniform losses of three equal architectures: at most one in twenty below .05."""
    generator = np.random.default_rng(1)
    shares = [
        search_luck(trials({name: list(generator.uniform(1, 2, 9)) for name in "abc"}), "val_loss")
        for _ in range(200)
    ]
    false = np.mean([share is not None and share <= 0.05 for share in shares])
    assert false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_a_real_difference_is_found_and_nothing_says_nothing() -> None:
    """Every trial of one below every other; one architecture alone; all others stopped."""
    clear = {"a": list(np.linspace(1, 1.2, 12)), "b": list(np.linspace(2, 2.2, 12))}
    assert search_luck(trials(clear), "val_loss") == pytest.approx(1 / (1 + SHUFFLES), abs=2e-3)
    assert search_luck(trials({"a": [1.0, 2.0]}), "val_loss") is None
    assert search_luck(trials({"a": [1.0, 2.0], "b": [None, None]}), "val_loss") is None
    frame = trials(clear)
    fresh = frame.with_columns(cohort=pl.lit("confirm"), val_loss=pl.lit(0.5))
    assert search_luck(pl.concat([frame, fresh]), "val_loss") == search_luck(frame, "val_loss")
