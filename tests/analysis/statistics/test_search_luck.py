"""Whether a lead is more than the luck of a search."""

import itertools
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from picosweep.analysis.statistics.search_luck import search_lead


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


@pytest.mark.parametrize(
    "found",
    [
        {"a": [1.0, 3.0, None], "b": [1.4, 1.6, 2.0]},
        {"a": [1.0, 1.1, None, None], "b": [1.4, None]},
        {"a": [1.0, 1.1], "b": [1.2, 1.6], "c": [1.3, None]},
    ],
)
def test_share_is_that_of_all_labellings(found: dict[str, list[float | None]]) -> None:
    """Counted over every order of the names, by the gap between the two best groups."""
    losses = np.array([loss or np.inf for own in found.values() for loss in own])
    names = [name for name, own in found.items() for _ in own]

    def gap(labels: Sequence[str]) -> float:
        least = sorted(losses[[one == name for one in labels]].min() for name in found)
        return float(least[1] - least[0])

    orders = list(itertools.permutations(names))
    expected = np.mean([gap(labels) >= gap(names) - 1e-12 for labels in orders])
    lead = search_lead(trials(found), "val_loss")
    assert lead is not None
    assert lead.share == pytest.approx(expected)


def test_equals_are_called_different_as_rarely_as_stated() -> None:
    """Uniform losses of three equal architectures: at most one in twenty below .05."""
    generator = np.random.default_rng(1)
    leads = [
        search_lead(trials({name: list(generator.uniform(1, 2, 9)) for name in "abc"}), "val_loss")
        for _ in range(400)
    ]
    false = np.mean([lead is not None and lead.is_more_than_luck for lead in leads])
    assert false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_a_real_difference_is_found_and_nothing_says_nothing() -> None:
    """Every trial of one below every other; one architecture alone; all others stopped; a tie."""
    clear = {"a": list(np.linspace(1, 1.2, 12)), "b": list(np.linspace(2, 2.2, 12))}
    lead = search_lead(trials(clear), "val_loss")
    assert lead is not None
    assert (lead.trials, lead.searched, lead.is_more_than_luck) == (12, 24, True)
    assert search_lead(trials({"a": [1.0, 2.0]}), "val_loss") is None
    assert search_lead(trials({"a": [1.0, 2.0], "b": [None, None]}), "val_loss") is None
    tie = search_lead(trials({"a": [1.0, 2.0], "b": [1.0, 3.0]}), "val_loss")
    assert tie is not None
    assert tie.share == 1
    frame = trials(clear)
    fresh = frame.with_columns(cohort=pl.lit("confirm"), val_loss=pl.lit(0.5))
    assert search_lead(pl.concat([frame, fresh]), "val_loss") == lead


def test_the_number_of_trials_that_would_show_a_lead_does() -> None:
    """If a ninth of one group's trials is in front, so many of each group show it in 4 of 5."""
    found = {name: [2.0 + index for index in range(9)] for name in "abcd"}
    found["a"][0] = 1.0
    lead = search_lead(trials(found), "val_loss")
    assert lead is not None
    assert not lead.is_more_than_luck
    needed = lead.trials_needed()
    assert needed is not None
    generator = np.random.default_rng(0)
    shown = []
    for _ in range(300):
        own = np.where(generator.random(needed) < 1 / 9, 1.0, 3.0) + generator.random(needed)
        others = {name: list(2.5 + 5 * generator.random(needed)) for name in "bcd"}
        again = search_lead(trials({"a": list(own), **others}), "val_loss")
        shown.append(again is not None and again.is_more_than_luck)
    assert 0.7 < np.mean(shown) < 0.97
    tie = search_lead(trials({"a": [1.0, 2.0], "b": [1.0, 3.0]}), "val_loss")
    assert tie is not None
    assert tie.trials_needed() is None
