"""The user's own model: what it must be, what it gets, and what is said when it is not right."""

import json
import pickle
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch

from picosweep.pico.facts import compute_facts
from picosweep.pico.models.custom import CustomModel, load_architecture
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.probes.decoding import Decoding
from picosweep.pico.probes.generate import stream
from picosweep.pico.probes.neighbours import nearest_tokens
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TrialConfig, resolve

PATH = "custom_examples:"
SIZES = {"vocab_size": 11, "block_size": 6}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    load_architecture.cache_clear()
    sys.modules.pop("custom_examples", None)


def test_constructor_becomes_the_configuration() -> None:
    """Parameters, types and defaults of the constructor are the hyperparameters."""
    config, training = resolve(PATH + "Good", {"width": 4, "slope": 1, "learning_rate": 0.1})
    assert (config.width, config.slope, config.kind) == (4, 1.0, "a")
    assert training.learning_rate == 0.1
    with pytest.raises(ValueError, match=r"widht: unknown .*did you mean 'width'"):
        resolve(PATH + "Good", {"widht": 4})
    with pytest.raises(
        ValueError, match=r"width is 'x'; allowed: a whole number, for custom_examples:Good"
    ):
        resolve(PATH + "Good", {"width": "x"})


def test_model_trains_and_generates_like_any_other() -> None:
    """A plain module gets logits, a cache that is right, generation and neighbours."""
    found = find_architecture(PATH + "Good")
    model = found.build(found.config_class(), *SIZES.values())
    assert isinstance(model, CustomModel)
    model.eval()
    ids_BT = torch.randint(11, (2, 6))
    logits, cache = model.step(ids_BT[:, :4], model.init_cache(2))
    more, _ = model.step(ids_BT[:, 4:], cache)
    torch.testing.assert_close(torch.cat([logits, more], 1), model(ids_BT))
    with pytest.raises(ValueError, match="7 tokens; allowed: at most block_size"):
        model.step(torch.zeros(2, 3, dtype=torch.int64), cache)
    assert len(list(islice(stream(model, [1], Decoding(temperature=0)), 20))) == 20
    assert len(nearest_tokens(model, [3])[0]) == 3


def test_language_model_keeps_its_own_cache() -> None:
    """A class derived from `LanguageModel` is used as it is."""
    found = find_architecture(PATH + "Own")
    model = found.build(found.config_class(), *SIZES.values())
    assert type(model).__name__ == "Own"
    assert model.max_context is None


def test_facts_of_a_users_model() -> None:
    """Parameters are counted, products are two a weight of a matrix, memory is measured."""
    config = find_architecture(PATH + "Good").config_class(width=8)
    before = torch.get_rng_state()
    facts = compute_facts(PATH + "Good", config, **SIZES, batch_size=2)
    gru, head = 2 * 24 * 8, 8 * 11
    assert facts.num_params == 11 * 8 + gru + 48 + head + 11
    assert facts.flops_per_token == 3 * 2 * (gru + head)
    assert facts.memory_bytes > 16 * facts.num_params
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["OneHot", "OneHotByNumpy"])
def test_constructor_may_look_at_numbers(name: str) -> None:
    """A constructor that cannot run without values is counted all the same; a head has vectors."""
    found = find_architecture(PATH + name)
    facts = compute_facts(PATH + name, found.config_class(), **SIZES, batch_size=2)
    assert facts.num_params == 11 * 11 + 11
    model = found.build(found.config_class(), *SIZES.values())
    assert model.token_vectors().shape == (11, 11)


def test_checks_draw_no_random_numbers() -> None:
    """Building with checks leaves the random stream where building alone leaves it."""
    found = find_architecture(PATH + "Good")
    torch.manual_seed(1)
    found.config_class.__user_class__.model_class(**SIZES)
    expected = torch.get_rng_state()
    torch.manual_seed(1)
    model = found.build(found.config_class(), *SIZES.values())
    assert torch.equal(torch.get_rng_state(), expected)
    assert model.training


def test_configuration_crosses_processes() -> None:
    """A configuration survives pickling and JSON, and stays equal to itself."""
    config, training = resolve(PATH + "Good", {"width": 4})
    assert pickle.loads(pickle.dumps(config)) == config
    trial = TrialConfig(architecture=PATH + "Good", model=config, training=training, block_size=6)
    assert TrialConfig.from_dict(trial.to_dict()) == trial


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("LooksAhead", "looks ahead: changing token"),
        ("TimeFirst", "mixes the rows of a batch|looks ahead"),
        ("AlwaysRandom", "gives other logits for the same ids in evaluation mode"),
        ("Pair", r"returns tuple for ids of shape \[2, 6\]; allowed: float logits of shape"),
        ("LastOnly", r"of shape \[2, 11\] for ids of shape \[2, 6\].*\[2, 6, 11\]"),
        ("FixedLength", r"returns .* of shape \[2, 6, 11\] for ids of shape \[2, 1\]"),
        ("Infinite", "returns logits that are not finite"),
    ],
)
def test_broken_contract_is_named(name: str, message: str) -> None:
    """Each way to break the contract gets its own message, at the start."""
    found = find_architecture(PATH + name)
    with pytest.raises(ValueError, match=message):
        found.build(found.config_class(), *SIZES.values())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:Model", "ModuleNotFoundError"),
        (PATH + "Missing", r"allowed: a class that .*custom_examples\.py has"),
        (PATH + "NOT_A_CLASS", "allowed: a class derived from torch.nn.Module"),
        (PATH + "NoSizes", "takes no vocab_size"),
        (PATH + "NeedsAList", r"argument sizes is list\[int\], which no spec can write"),
        (PATH + "NoConstructor", "takes no vocab_size"),
        ("__main__:Model", "cannot import a class of a script or notebook"),
        (PATH + "TakesTraining", "takes batch_size, a setting of training"),
    ],
)
def test_unusable_path_is_named(path: str, message: str) -> None:
    """A path that leads to no usable class is refused with the reason."""
    with pytest.raises(ValueError, match=message):
        find_architecture(path)


@pytest.mark.parametrize(
    ("name", "given", "width"),
    [
        ("Bare", {"width": 4}, 4),
        ("BareDefault", {"width": 4}, 4),
        ("BareNone", {"width": 4}, 4),
        ("BareNone", {}, 8),
        ("ImpliedOptional", {"width": None}, 8),
        ("ForCheckersOnly", {"width": 4}, 4),
        ("AnyHint", {"width": 4}, 4),
        ("ListDefault", {"width": 4}, 4),
        ("ClassDefault", {"width": 4}, 4),
        ("KeywordOnly", {"width": 4}, 4),
        ("PositionalOnly", {"width": 4}, 4),
        ("PassesOn", {"width": 4}, 4),
        ("RealDefault", {}, 8),
        ("NamedLikeOurs", {"width": 4, "model_class": "a", "path": "b"}, 4),
    ],
)
def test_constructors_as_people_write_them(name: str, given: dict[str, object], width: int) -> None:
    """No hints, `Any`, hints for checkers, any default, any kind of parameter, odd names."""
    found = find_architecture(PATH + name)
    config, _ = resolve(PATH + name, given)
    model = found.build(config, *SIZES.values())
    assert isinstance(model, CustomModel)
    assert model.module.embedding.embedding_dim == width
    trial = TrialConfig(
        architecture=PATH + name, model=config, training=TrainingConfig(), block_size=6
    )
    again = TrialConfig.from_dict(json.loads(json.dumps(trial.to_dict())))
    assert json.dumps(again.to_dict()) == json.dumps(trial.to_dict())  # so is its identity
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_default_that_no_spec_can_write_stays() -> None:
    """Null or nothing leaves it; what its type has of plain values can be given in its place."""
    found = find_architecture(PATH + "ClassDefault")
    for given, expected in [({}, "relu"), ({"act": None}, "relu"), ({"act": "gelu"}, "gelu")]:
        model = found.build(resolve(PATH + "ClassDefault", given)[0], *SIZES.values())
        assert isinstance(model, CustomModel)
        act = model.module.act
        assert (act if isinstance(act, str) else act.__name__) == expected
        assert model.module.norm is torch.nn.LayerNorm
    with pytest.raises(ValueError, match="unknown hyperparameter"):
        resolve(PATH + "ClassDefault", {"norm": "LayerNorm"})


def test_a_module_that_places_its_own_weights() -> None:
    """A device that is passed on is no reason to judge weights that nobody has drawn."""
    config = find_architecture(PATH + "OnDevice").config_class()
    for _ in range(3):
        facts = compute_facts(PATH + "OnDevice", config, **SIZES, batch_size=2)
        assert facts.num_params == 2 * 11 * 8 + 11
