"""Presets against the models they build."""

import pytest

from picosweep.pico.facts import compute_facts
from picosweep.pico.models.registry import MODELS
from picosweep.pico.presets import PRESETS
from picosweep.pico.trial import resolve


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_are_counted_exactly(name: str) -> None:
    """The count in the preset is that of the built model."""
    preset = PRESETS[name]
    facts = compute_facts(
        preset.architecture,
        preset.model,
        vocab_size=preset.vocab_size,
        block_size=preset.block_size,
        batch_size=1,
    )
    assert facts.num_params == preset.num_params


def test_mini_counts_are_the_published_ones() -> None:
    """The two minis have the published 27,073,024 and 45.95 million parameters."""
    assert PRESETS["mini-27m"].num_params == 27_073_024
    assert PRESETS["mini-46m"].num_params == pytest.approx(45.95e6, rel=1e-3)


@pytest.mark.parametrize(("name", "millions"), [("a", 85), ("b", 128), ("c", 171)])
def test_true_counts_stand_in_the_notes(name: str, millions: int) -> None:
    """Where a published claim was wrong the note names the true count."""
    preset = PRESETS[f"gpt-char-{name}"]
    assert round(preset.num_params / 1e6) == millions
    assert f"have {millions} M" in preset.note


@pytest.mark.parametrize("name", PRESETS)
def test_hyperparameters_are_a_sweeps(name: str) -> None:
    """A preset's flat hyperparameters resolve to its own configuration and training."""
    preset = PRESETS[name]
    model, training = resolve(preset.architecture, preset.hyperparameters())
    assert model == preset.model
    assert isinstance(model, MODELS[preset.architecture].config_class)
    assert {setting: getattr(training, setting) for setting in preset.training} == preset.training
