"""What an architecture's entry may name: a built-in, a preset, a user's class."""

from typing import Any

import pytest

from picosweep.pico.presets import PRESETS
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.candidates import Candidate, Rejection
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.workers.simulated import SimulatedData
from tests.sweeps.simulation import spec_with


def _first(entry: dict[str, Any], vocab_size: int = 64, **changes: Any) -> Candidate:
    """The first configuration of a space with one entry, named `mine`."""
    spec = spec_with(common={"batch_size": 4}, architectures={"mine": entry}, **changes)
    sweep = check_sweep(spec).with_data({2048: SimulatedData(vocab_size=vocab_size)})
    factory, spaces = sweep.factory, sweep.spaces
    configurations = spaces["mine"].configurations(100)
    assert configurations
    outcome = factory.build("mine", configurations[0], 0)
    assert not isinstance(outcome, Rejection), outcome.reason
    rebuilt = factory.from_config(outcome.config, spaces)
    assert rebuilt is not None
    assert rebuilt.trial_id == outcome.trial_id
    return outcome


def test_a_users_own_class() -> None:
    """An import path stands for the user's class, its constructor for the space."""
    candidate = _first({"model": "tests.sweeps.my_model:Bigram", "width": [4, 16]})
    assert candidate.architecture == "mine"
    assert candidate.trial.architecture == "tests.sweeps.my_model:Bigram"
    assert candidate.hyperparameters["width"] == 4
    assert candidate.facts.num_params == 64 * 4 + 64 * 4 + 64


def test_a_second_name_for_a_built_in_architecture() -> None:
    """Two spaces over one architecture can race each other, and their trials differ."""
    softmax = _first({"model": "transformer", "embed_size": 8, "num_heads": 2})
    assert softmax.trial.architecture == "transformer"
    assert '"name":"mine"' in softmax.config


@pytest.mark.parametrize("name", ["mini-27m", "gpt-char"])
def test_a_preset_has_the_parameters_it_promises(name: str) -> None:
    """A preset fixes the model; what the spec adds changes training alone."""
    preset = PRESETS[name]
    candidate = _first(
        {"preset": name, "learning_rate": 0.01},
        vocab_size=preset.vocab_size,
        data={"source": "stdlib", "block_size": preset.block_size},
        budget={"unit": "steps", "min": 10, "factor": 2, "rungs": 2},
    )
    assert candidate.facts.num_params == preset.num_params
    assert candidate.trial.training.learning_rate == 0.01


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"model": "transfomer"}, "did you mean transformer?"),
        ({"model": "no.such:Thing"}, "can be imported"),
        ({"model": "pathlib:Path"}, "derived from"),
        ({"preset": "mini-27"}, "did you mean mini-27m?"),
        ({"model": "tests.sweeps.my_model:Bigram", "witdh": 4}, "did you mean width?"),
    ],
)
def test_what_cannot_be_found(entry: dict[str, Any], message: str) -> None:
    """A wrong name, path or hyperparameter is told with the nearest right one."""
    with pytest.raises(InputError) as refused:
        _first(entry)
    assert message in str(refused.value).replace("'", "")


def test_a_class_that_cannot_be_made_is_rejected_not_fatal() -> None:
    """What a user's constructor raises is the reason why a configuration is left out."""
    spec = spec_with(
        common={"batch_size": 4},
        architectures={"mine": {"model": "tests.sweeps.my_model:Fragile", "width": [3, 4]}},
    )
    factory = check_sweep(spec).with_data({2048: SimulatedData()}).factory
    outcome = factory.build("mine", {"width": 3, "batch_size": 4}, 0)
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "the model raised RuntimeError: an odd width"
    assert isinstance(factory.build("mine", {"width": 4, "batch_size": 4}, 0), Candidate)
