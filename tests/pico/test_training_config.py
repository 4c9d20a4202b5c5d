from dataclasses import fields

import pytest

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TrialConfig

BAD = {
    "optimizer": ["adamax", None],
    "learning_rate": [0, -1e-3, float("nan"), float("inf"), "1e-3", True],
    "beta1": [1.0, -0.1],
    "beta2": [1.0],
    "momentum": [1.0],
    "weight_decay": [-0.1, float("inf")],
    "batch_size": [0, 2.0, True],
    "accumulation": [0, 3],
    "schedule": ["cosin"],
    "warmup_steps": [-1, 1.5],
    "decay_fraction": [1.5, -0.5],
    "final_lr_fraction": [1.1],
    "grad_clip": [0.0, -1.0],
    "label_smoothing": [1.0],
    "token_dropout": [1.0],
    "precision": ["fp8"],
    "compile": [1],
    "patience": [0],
    "lora_rank": [0, 2.0],
    "lora_alpha": [0.0],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, vs in BAD.items() for v in vs])
def test_a_bad_value_is_named(field, value):
    """Every field refuses what it cannot use, and names itself and the value."""
    with pytest.raises(ValueError, match=field) as error:
        TrainingConfig(**{field: value})
    assert repr(value) in str(error.value)


def test_every_field_is_checked():
    """No field is left out of the checks above."""
    assert {f.name for f in fields(TrainingConfig)} == set(BAD)


@pytest.mark.parametrize("architecture", MODELS)
def test_fields_are_disjoint_from_every_model(architecture):
    """A flat mapping of hyperparameters can be split without doubt."""
    model = {f.name for f in fields(MODELS[architecture].config_class)}
    trial = {f.name for f in fields(TrialConfig)}
    assert not model & {f.name for f in fields(TrainingConfig)}
    assert not model & trial
