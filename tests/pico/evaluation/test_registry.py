"""Suites put to checkpoints, as they lie in a sweep's folder."""

from typing import Any

import pytest

from picosweep.pico.evaluation.registry import longer_reader, put_suite
from picosweep.pico.training.train import train
from picosweep.pico.weights.restore import restore_model
from tests.pico.tiny_trials import tiny_trial


def checkpoint_of(data: Any, architecture: str, **fields: Any) -> tuple[bytes, dict[str, Any]]:
    """A trial's last checkpoint after ten steps, and its metrics there."""
    trial = tiny_trial(architecture, **fields)
    *_, last = ((r.checkpoint(), r.metrics()) for r in train(trial, data, report_steps=[10]))
    return last


@pytest.mark.parametrize(
    ("architecture", "fields", "reads_on"),
    [
        ("kgram", {}, True),
        ("lstm", {}, True),
        ("transformer", {"position": "rotary"}, True),
        ("transformer", {"position": "sinusoidal"}, True),
        ("linear_transformer", {"position": "none"}, True),
        ("transformer", {"position": "learned"}, False),
    ],
)
def test_models_read_past_a_block_where_their_places_allow(
    tiny_data: Any, architecture: str, fields: dict[str, Any], reads_on: bool
) -> None:
    """The perplexity is that of training; past a block there is a loss, or a reason."""
    checkpoint, metrics = checkpoint_of(tiny_data, architecture, **fields)
    found = put_suite("text", checkpoint, tiny_data)
    perplexity = next(i for i in found.section("perplexity") if i.item == "validation")
    assert perplexity.score == pytest.approx(metrics["val_perplexity"], rel=1e-5)
    past = found.section("loss by place, past a block")
    assert (past[0].status == "scored") == reads_on
    if not reads_on:
        assert "weights of its own" in past[0].detail
    longer = longer_reader(checkpoint, restore_model(checkpoint)).model
    assert (longer is not None) == reads_on
    assert longer is None or longer.block_size == 64
