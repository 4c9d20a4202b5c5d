"""Texts before and after preference training, and how much they repeat themselves."""

import polars as pl
import pytest

from picosweep.analysis.preference.preferences import preference_table
from picosweep.analysis.preference.written import (
    before_and_after,
    panel,
    repetition_chart,
    repetition_sentence,
    repetition_table,
)
from tests.analysis.preference.test_preferences import trials

PLAIN, HALF, ALL = "a b c d", "a b c a b c", "a a a a a a"
"""No run of three words comes again in the first, one of four in the second, three in the third."""


def samples() -> pl.DataFrame:
    """Texts of three trials: one repeats as before, one more, one has none from before."""
    rows = [
        ("a", 0, PLAIN), ("a", 10, HALF), ("a", 20, PLAIN),
        ("b", 0, PLAIN), ("b", 20, ALL),
        ("c", 20, ALL),
    ]  # fmt: skip
    return pl.DataFrame(
        [
            {"trial_id": name * 16, "step": step, "decoder": decoder, "prompt": "x", "text": text}
            for name, step, text in rows
            for decoder in ("top-k 5", "greedy")
        ]
    )


def test_repetition_is_of_the_last_texts_beside_the_first() -> None:
    """Means over texts; trials without texts from before are left out."""
    table = repetition_table(samples(), preference_table(trials()))
    assert table["trial_id"].str.head(1).to_list() == ["b", "a"]  # the more accurate first
    assert table["repetition"].to_list() == [0.75, 0.0]
    assert table["repetition_before"].to_list() == [0.0, 0.0]
    assert table["num_texts"].to_list() == [2, 2]
    assert repetition_sentence(table) == (
        "Of the three-word runs in a text, 0 % had stood in it before under the reference; in 1 of "
        "2 trials it is more after training. Most in bbbbbbbb (dpo, beta 0.100): 75 %, at 100 % of "
        "the pairs preferred. Means over 2 texts a trial; those below are greedy, each loss at its "
        "best."
    )
    assert repetition_chart(table).to_dict(validate=True)


def test_each_loss_stands_beside_its_reference() -> None:
    """The reference's text first, once for an architecture, and greedy texts alone."""
    table = repetition_table(samples(), preference_table(trials()))
    quotes = before_and_after(samples(), table)
    assert [(one.heading, one.text) for one in quotes] == [
        ("before", PLAIN),
        ("dpo, beta 0.100", ALL),
    ]


@pytest.mark.parametrize("kept", [pl.col("step") > 0, pl.col("step") == 0])
def test_without_texts_from_both_times_nothing_is_told(kept: pl.Expr) -> None:
    """There is no panel."""
    assert panel(samples().filter(kept), preference_table(trials())) is None
