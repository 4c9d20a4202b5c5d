"""What the report says of preference training: read off the trials, and no more."""

import json

import polars as pl

from picosweep.analysis.page.page_data import Payload
from picosweep.analysis.preference.preferences import (
    beta_sentence,
    displacement_sentence,
    front_sentence,
    preference_beta_chart,
    preference_change_chart,
    preference_front_chart,
    preference_table,
)


def trials(chosen: tuple[float, ...] = (0.5, -3.0, -200.0, 0.25)) -> pl.DataFrame:
    """Four trials at full budget, and one that measured nothing."""
    return pl.DataFrame(
        {
            "trial_id": ["a" * 16, "b" * 16, "c" * 16, "d" * 16, "e" * 16],
            "architecture": ["transformer"] * 5,
            "preference_loss": ["dpo", "dpo", "simpo", "ipo", "ipo"],
            "beta": [0.5, 0.1, 2.0, 1.0, 1.0],
            "preference_accuracy": [0.9, 1.0, 0.998, 0.6, None],
            "reference_kl": [0.01, 0.1, 4.0, 0.02, None],
            "chosen_change": [*chosen, None],
            "rejected_change": [-4.0, -30.0, -400.0, -1.0, None],
        }
    )


def test_the_front_is_of_trials_that_no_nearer_one_beats() -> None:
    """Nearest first; a trial further away must prefer more often to be on it."""
    table = preference_table(trials())
    assert table["trial_id"].str.head(1).to_list() == ["a", "d", "b", "c"]
    assert table["front"].to_list() == [True, False, True, False]
    assert front_sentence(table) == (
        "4 trials: the best prefers the chosen continuation in 100 % of the validation pairs. Of "
        "the 2 that do as well to half a point, the nearest to the reference is bbbbbbbb (dpo, "
        "beta 0.100), 0.100 nats a token away; the furthest is 4.00 away."
    )


def test_chosen_ones_that_became_less_likely_are_told() -> None:
    """How many, and where most; or that there are none."""
    said = displacement_sentence(preference_table(trials()))
    assert said.startswith("In 2 of 4 trials the chosen continuations became less likely")
    assert said.endswith("Furthest in cccccccc (simpo), by 200 nats a continuation.")
    none = displacement_sentence(preference_table(trials((0.1, 0.2, 0.3, 0.4))))
    assert none.startswith("In no trial")


def test_betas_stand_beside_distances_by_loss() -> None:
    """Ranges, of which no trend is claimed."""
    said = beta_sentence(preference_table(trials()))
    assert "dpo (2 trials): beta 0.10 to 0.50, 0.010 to 0.10 nats a token" in said


def test_charts_are_of_columns_that_there_are() -> None:
    """And other sweeps have none of this."""
    table = preference_table(trials())
    for chart in (preference_front_chart, preference_beta_chart, preference_change_chart):
        payload = Payload()
        payload.add_chart("chart", chart(table))
        assert json.dumps(payload.charts["chart"])
        assert chart(table).to_dict(validate=True)
    assert preference_table(pl.DataFrame({"trial_id": ["a"]})).is_empty()
