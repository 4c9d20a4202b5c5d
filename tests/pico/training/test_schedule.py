import pytest

from picosweep.pico.training.schedule import learning_rate_at
from picosweep.pico.training_config import TrainingConfig


def rates(horizon, **fields):
    config = TrainingConfig(learning_rate=1.0, **fields)
    return [learning_rate_at(step, config, horizon) for step in range(horizon)]


def test_constant_needs_no_horizon():
    """A constant schedule is the peak at every step, whatever the budget."""
    config = TrainingConfig(learning_rate=0.5)
    assert {learning_rate_at(step, config, None) for step in (0, 1, 10**6)} == {0.5}


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "wsd"])
def test_warmup_rises_linearly_to_the_peak(schedule):
    """Warmup starts above zero, reaches the peak at its last step, and hands over there."""
    assert rates(20, schedule=schedule, warmup_steps=4)[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_is_half_way_down_in_the_middle():
    """Cosine passes half of the peak in the middle and ends at the final share."""
    values = rates(11, schedule="cosine")
    assert values[0] == 1.0
    assert values[5] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(0.0)


def test_linear_falls_by_equal_steps():
    """Linear decay loses the same amount at each step."""
    assert rates(5, schedule="linear") == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])


def test_wsd_is_flat_and_then_falls():
    """Warmup-stable-decay keeps the peak until its decay share begins."""
    values = rates(101, schedule="wsd", decay_fraction=0.2)
    assert values[:81] == [1.0] * 81
    assert values[90] == pytest.approx(1 - (90 - 80.8) / 19.2)
    assert values[-1] == pytest.approx(0.0)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_last_step_and_beyond_have_the_final_rate(schedule):
    """The final share is reached at the last step and kept after it."""
    config = TrainingConfig(learning_rate=2.0, schedule=schedule, final_lr_fraction=0.1)
    assert learning_rate_at(49, config, 50) == pytest.approx(0.2)
    assert learning_rate_at(500, config, 50) == pytest.approx(0.2)


def test_horizon_shorter_than_warmup():
    """A budget that ends in the warmup still gives a learning rate."""
    assert rates(3, schedule="cosine", warmup_steps=10) == pytest.approx([0.1, 0.2, 0.3])


def test_missing_horizon_is_named():
    """A schedule that looks at the end says that it needs the end."""
    with pytest.raises(ValueError, match="horizon_steps"):
        learning_rate_at(0, TrainingConfig(schedule="cosine"), None)
