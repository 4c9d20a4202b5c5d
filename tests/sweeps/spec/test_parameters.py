"""Search spaces: how they are written and what they contain."""

import random
from typing import Any

import optuna
import pytest

from picosweep.sweeps.spec.parameters import Space, parse_parameter


def _space(**written: Any) -> Space:
    return Space(parameters=tuple(parse_parameter(name, value) for name, value in written.items()))


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (3, [3]),
        ("relu", ["relu"]),
        ({"fixed": True}, [True]),
        (None, [None]),
        ([None, 1.0], [None, 1.0]),
        ([1, 2, 3], [1, 2, 3]),
        ({"choices": ["a", "b"]}, ["a", "b"]),
        ({"int_uniform": [2, 8], "step": 3}, [2, 5, 8]),
        ({"log_int_uniform": [1, 3]}, [1, 2, 3]),
        ({"uniform": [0.0, 0.3], "step": 0.1}, [0.0, 0.1, 0.2, 0.3]),
        ({"uniform": [0.0, 0.3]}, None),
        ({"log_uniform": [1e-4, 1e-2]}, None),
    ],
)
def test_what_a_parameter_can_be(written: Any, values: list[Any] | None) -> None:
    """Each way of writing a parameter stands for exactly these values."""
    found = parse_parameter("x", written).values()
    assert (None if found is None else list(found)) == values


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([], "at least one choice"),
        ([1, 1], "stands twice"),
        ([[1]], "needs a number"),
        (float("nan"), "finite"),
        ({}, "exactly one of"),
        ({"uniform": [0, 1], "choices": [1]}, "exactly one of"),
        ({"unifrom": [0, 1]}, "exactly one of"),
        ({"uniform": [1, 0]}, "low 1 must be below high 0"),
        ({"uniform": [1, 1]}, "must be below"),
        ({"uniform": [0]}, "two numbers"),
        ({"uniform": ["0", 1]}, "two numbers"),
        ({"int_uniform": [0.5, 2]}, "two whole numbers"),
        ({"log_uniform": [0, 1]}, "above 0"),
        ({"uniform": [0, 1], "step": 2}, "step must lie"),
        ({"log_uniform": [1, 2], "step": 0.1}, "step goes with"),
        ({"choices": [1, 2], "when": 3}, "when takes"),
        ({"choices": [1, 2], "when": "a("}, "not an expression"),
    ],
)
def test_what_cannot_be_a_parameter(written: Any, message: str) -> None:
    """An impossible parameter says what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        parse_parameter("x", written)


def test_a_conditional_parameter_is_left_out_where_it_is_off() -> None:
    """`when` decides in the sampler, in the listing and in the reverse alike."""
    space = _space(
        attention=["softmax", "linear"],
        num_heads={"choices": [2, 4], "when": "attention == 'softmax'"},
    )
    listed = space.configurations(100)
    assert listed == [
        {"attention": "softmax", "num_heads": 2},
        {"attention": "softmax", "num_heads": 4},
        {"attention": "linear"},
    ]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [space.suggest(study.ask()) for _ in range(30)]
    assert {tuple(d.items()) for d in drawn} == {tuple(d.items()) for d in listed}
    assert space.extract({"attention": "linear", "num_heads": 4, "other": 1}) == {
        "attention": "linear"
    }


def test_infinite_and_huge_spaces_are_not_listed() -> None:
    """Listing stops at a continuous range and at the limit."""
    assert _space(x={"uniform": [0, 1]}).configurations(100) is None
    assert _space(x={"int_uniform": [1, 101]}).configurations(100) is None


def test_what_is_drawn_lies_in_the_space() -> None:
    """Every kind of range, its ends included, and conditions obeyed."""
    space = Space(
        parameters=tuple(
            parse_parameter(name, written)
            for name, written in {
                "kind": ["a", "b"],
                "whole": {"int_uniform": [1, 7], "step": 3},
                "large": {"log_int_uniform": [1, 3]},
                "share": {"uniform": [0.0, 0.3], "step": 0.1},
                "rate": {"log_uniform": [1e-4, 1e-2]},
                "plain": {"uniform": [-1.0, 1.0]},
                "only": {"choices": [True, False], "when": "kind == 'a'"},
                "fixed": 5,
            }.items()
        )
    )
    chance = random.Random(0)
    drawn = [space.draw(chance) for _ in range(500)]
    assert all(space.holds(chosen) for chosen in drawn)
    assert {chosen["whole"] for chosen in drawn} == {1, 4, 7}
    assert {chosen["large"] for chosen in drawn} == {1, 2, 3}
    assert len({round(float(chosen["share"]), 9) for chosen in drawn}) == 4
    assert {("only" in chosen, chosen["kind"]) for chosen in drawn} == {(True, "a"), (False, "b")}
    assert {chosen["fixed"] for chosen in drawn} == {5}
    low = sum(float(chosen["rate"]) < 1e-3 for chosen in drawn)
    assert 200 < low < 300
