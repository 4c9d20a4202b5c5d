"""What an architecture's entry may name: a built-in, a preset, a user's class."""

from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.presets import PRESETS
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory, Rejection
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.spec.spaces import build_spaces
from tests.sweeps.simulation import SimulatedData, spec_with

NOWHERE = Document(path=Path("spec"), content={}, lines={})


def _first(entry: dict[str, Any], vocab_size: int = 64, **changes: Any) -> Candidate:
    """The first configuration of a space with one entry, named `mine`."""
    spec = parse_spec(spec_with(common={"batch_size": 4}, architectures={"mine": entry}, **changes))
    architectures = find_architectures(spec, NOWHERE)
    spaces, constraints = build_spaces(spec, NOWHERE, architectures)
    configurations = spaces["mine"].configurations(100)
    assert configurations
    data = {2048: SimulatedData(vocab_size=vocab_size)}
    factory = CandidateFactory(spec, architectures, data, constraints)
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
    spec = parse_spec(
        spec_with(
            common={"batch_size": 4},
            architectures={"mine": {"model": "tests.sweeps.my_model:Fragile", "width": [3, 4]}},
        )
    )
    factory = CandidateFactory(spec, find_architectures(spec, NOWHERE), {2048: SimulatedData()})
    outcome = factory.build("mine", {"width": 3, "batch_size": 4}, 0)
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "the model raised RuntimeError: an odd width"
    assert isinstance(factory.build("mine", {"width": 4, "batch_size": 4}, 0), Candidate)
