import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.statistics.evidence import (
    holm,
    more_common_than_chance,
    setting_evidence,
    trials_to_show,
    unshown_sentence,
)


def test_the_test_is_kruskal_and_walliss() -> None:
    """With many trials by the law of its statistic, with few by dealing the losses anew."""
    generator = np.random.default_rng(0)
    for number, close in ((400, 1e-9), (30, 0.02)):
        kind = generator.choice(["a", "b", "c"], number)
        loss = generator.standard_normal(number) + 0.4 * (kind == "a")
        frame = pl.DataFrame({"kind": kind, "loss": loss})
        oracle = stats.kruskal(*(loss[kind == name] for name in "abc")).pvalue
        found = setting_evidence(frame, ["kind"])["p_value"][0]
        assert found == pytest.approx(oracle, abs=close)


@pytest.mark.parametrize("number", [9, 20, 60])
def test_idle_settings_are_named_as_seldom_as_it_says(number: int) -> None:
    """Numbers and choices together in at most 5 % of sweeps, beyond chance in 300 of them."""
    generator = np.random.default_rng(number)
    named = 0
    for seed in range(300):
        frame = pl.DataFrame(
            {
                "rate": 10 ** generator.uniform(-4, -2, number),
                "width": generator.choice([16, 32, 64], number),
                "kind": generator.choice(["a", "b"], number),
                "loss": generator.standard_t(3, number),
            }
        )
        named += setting_evidence(frame, ["rate", "width", "kind"], seed)["clear"].any()
    assert named <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)


def test_a_valley_is_found_though_it_has_no_slope() -> None:
    """A best value inside the range moves the loss as much as a trend."""
    generator = np.random.default_rng(0)
    rate = generator.uniform(-1, 1, 40)
    frame = pl.DataFrame({"rate": rate, "loss": rate**2 + 0.1 * generator.standard_normal(40)})
    assert setting_evidence(frame, ["rate"])["clear"].to_list() == [True]


def test_holms_correction() -> None:
    """Each p times the number of those not yet decided, never falling, at most one."""
    assert holm([0.01, 0.02, 0.04]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.01], 5) == pytest.approx([0.05])
    assert holm([0.4, 0.5]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []


def test_the_number_of_trials_that_would_show_a_setting_does() -> None:
    """With a fifth of the spread explained, the analysis of variance finds it in 80 %."""
    generator = np.random.default_rng(0)
    number = trials_to_show(1)
    found = []
    for _ in range(400):
        kind = generator.integers(0, 3, number)
        effect = (kind - 1) * np.sqrt(1.5 * 0.25)
        loss = effect + generator.standard_normal(number)
        found.append(stats.f_oneway(*(loss[kind == level] for level in range(3))).pvalue <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)
    assert trials_to_show(10) > trials_to_show(1)
    evidence = setting_evidence(pl.DataFrame({"a": [1, 2, 1], "loss": [1.0, 2.0, 3.0]}), ["a"])
    told = unshown_sentence(evidence, 3)
    assert "3 trials cannot tell one that explains 20 % of its spread from chance" in told
    assert f"about {number} would" in told


def test_missing_and_constant_values_are_no_evidence() -> None:
    """A setting that does not vary is no test; equal losses show nothing."""
    frame = pl.DataFrame(
        {"a": [1, 1, 1, 1], "b": [1, 2, None, None], "c": [1, 2, 1, 2], "loss": [1.0] * 4}
    )
    table = setting_evidence(frame, ["a", "b", "c"])
    assert set(table["setting"]) == {"b", "c"}
    assert table["p_value"].to_list() == [1.0, 1.0]


def test_the_chance_of_a_shared_value() -> None:
    """Three of the best three have what four of twelve have: 4 · 3 · 2 of 12 · 11 · 10."""
    assert more_common_than_chance(3, 3, 4, 12) == pytest.approx(24 / 1320)
