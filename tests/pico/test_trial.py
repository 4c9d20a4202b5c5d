import json

import pytest

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TrialConfig, resolve


def trial_of(architecture="kgram", horizon_steps=None, **hyperparameters):
    model, training = resolve(architecture, hyperparameters)
    return TrialConfig(
        architecture=architecture, model=model, training=training, horizon_steps=horizon_steps
    )


def test_resolve_splits_a_flat_mapping():
    """Each name goes to the configuration that has it."""
    model, training = resolve("kgram", {"context_size": 3, "learning_rate": 0.01})
    assert model == MODELS["kgram"].config_class(context_size=3)
    assert training == TrainingConfig(learning_rate=0.01)


def test_unknown_hyperparameter_gets_a_hint():
    """A misspelt name is refused with the nearest known one."""
    with pytest.raises(ValueError, match=r"learning_rat: unknown .*did you mean 'learning_rate'"):
        resolve("kgram", {"learning_rat": 0.01})


def test_other_architectures_hyperparameter_is_refused():
    """A name that only another architecture has is unknown here."""
    with pytest.raises(ValueError, match="num_heads"):
        resolve("kgram", {"num_heads": 2})


def test_unknown_architecture_is_refused():
    """An unknown architecture is refused with the nearest known one."""
    with pytest.raises(ValueError, match="transformer"):
        resolve("transfomer", {})


def test_whole_number_for_a_real_field_is_the_same_trial():
    """JSON writes 1.0 as 1: both spellings give one identity."""
    one, other = trial_of(weight_decay=0), trial_of(weight_decay=0.0)
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())


@pytest.mark.parametrize("architecture", MODELS)
def test_round_trip_through_json(architecture):
    """`from_dict` rebuilds the trial from the JSON of `to_dict`."""
    trial = trial_of(architecture, horizon_steps=10, schedule="wsd", grad_clip=None, patience=3)
    assert TrialConfig.from_dict(json.loads(json.dumps(trial.to_dict()))) == trial


def test_every_default_is_filled_in():
    """The dictionary that a trial's hash is made of leaves nothing to later defaults."""
    values = trial_of("lstm").to_dict()
    assert set(values["model"]) == set(MODELS["lstm"].config_class.__dataclass_fields__)
    assert set(values["training"]) == set(TrainingConfig.__dataclass_fields__)
    assert set(values) == set(TrialConfig.__dataclass_fields__) - {"preference"}


@pytest.mark.parametrize(("schedule", "horizon"), [("constant", 10), ("cosine", None)])
def test_horizon_exactly_where_the_schedule_needs_it(schedule, horizon):
    """A horizon that changes nothing would give one training run two identities."""
    with pytest.raises(ValueError, match="horizon_steps"):
        trial_of(schedule=schedule, horizon_steps=horizon)


def test_unknown_field_is_refused():
    """A dictionary from another version is refused instead of half read."""
    values = trial_of().to_dict() | {"colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        TrialConfig.from_dict(values)


def test_tokens_per_step_is_the_effective_batch():
    """Accumulation cuts a step's sequences up and does not multiply them."""
    assert trial_of(batch_size=8, accumulation=4).tokens_per_step == 8 * 64
