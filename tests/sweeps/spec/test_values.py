"""Values that people write: null, stepped and wide ranges, empty sections, odd numbers."""

import random
from decimal import Decimal
from typing import Any

import optuna
import pytest
from hypothesis import given, settings, strategies as st

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.spec.expressions import parse_expression
from picosweep.sweeps.spec.load import parse_spec, unusual_goals
from picosweep.sweeps.spec.parameters import Space, parse_parameter

MINIMAL: dict[str, Any] = {
    "name": "values",
    "budget": {"unit": "steps", "min": 4, "rungs": 1},
    "data": {"source": "stdlib"},
    "architectures": {"kgram": {"context_size": 2}},
}


@given(st.decimals(-100, 100, places=3), st.decimals("0.001", 1, places=3), st.integers(1, 40))
@settings(max_examples=200)
def test_a_stepped_range_has_the_values_that_a_person_would_write(
    low: Decimal, step: Decimal, count: int
) -> None:
    high = low + step * count
    written = {"uniform": [float(low), float(high)], "step": float(step)}
    parameter = parse_parameter("x", written)
    values = [float(low + step * number) for number in range(count + 1)]
    assert list(parameter.values() or ()) == values
    assert not parameter.remark
    space = Space(parameters=(parameter,))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    chance = random.Random(0)
    for value in values:  # enqueued, and asked for again after a resume
        assert space.holds({"x": value})
        study.enqueue_trial({"x": value})
        assert space.suggest(study.ask())["x"] == value
    assert all(space.suggest(study.ask())["x"] in values for _ in range(5))
    assert all(space.draw(chance)["x"] in values for _ in range(5))


@pytest.mark.parametrize(
    ("written", "values", "highest"),
    [
        ({"uniform": [0.0, 0.3], "step": 0.2}, [0.0, 0.2], "0.2"),
        ({"int_uniform": [1, 8], "step": 3}, [1, 4, 7], "7"),
    ],
)
def test_a_step_that_does_not_divide_its_range_is_told(
    written: Any, values: list[Any], highest: str
) -> None:
    parameter = parse_parameter("x", written)
    assert list(parameter.values() or ()) == values
    assert f"the highest value is {highest}" in parameter.remark


def test_wide_ranges_are_not_listed() -> None:
    wide = parse_parameter("x", {"int_uniform": [1, 10**18]})
    fine = parse_parameter("y", {"uniform": [0.0, 1e9], "step": 1e-6})
    space = Space(parameters=(wide, fine))
    assert space.count() == 10**18 * (10**15 + 1)
    assert space.configurations(1000) is None
    chosen = space.draw(random.Random(0))
    assert space.holds(chosen)
    assert wide.whole_numbers()[-1] == 10**18


def test_null_is_a_value() -> None:
    fixed = parse_parameter("grad_clip", None)
    choice = parse_parameter("patience", [None, 2])
    space = Space(parameters=(fixed, choice))
    assert space.configurations(10) == [
        {"grad_clip": None, "patience": None},
        {"grad_clip": None, "patience": 2},
    ]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial({"patience": None})
    assert space.suggest(study.ask()) == {"grad_clip": None, "patience": None}
    assert space.extract({"grad_clip": None, "patience": None}) == {
        "grad_clip": None,
        "patience": None,
    }


@pytest.mark.parametrize(
    ("text", "values", "outcome"),
    [
        ("compile == true", {"compile": True}, True),
        ("not compile or compile is false", {"compile": False}, True),
        ("grad_clip is null", {"grad_clip": None}, True),
        ("grad_clip is not None", {"grad_clip": None}, False),
        ("patience == null", {"patience": 3}, False),
        ("norm in ['none', null]", {"norm": None}, True),
    ],
)
def test_a_condition_speaks_yaml_and_python(
    text: str, values: dict[str, Any], outcome: bool
) -> None:
    expression = parse_expression(text)
    assert expression.names == values.keys()
    assert expression(values) is outcome


@pytest.mark.parametrize(
    "text", ["x" * 10 + "*'ab'" * 2, "[1] * x", "'a' + x", "-'a'", "x < 'a'", "x % 0"]
)
def test_a_condition_does_arithmetic_with_numbers_alone(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be evaluated"):
        parse_expression(text)({"x": 2, "x" * 10: 2})


@pytest.mark.parametrize("text", ["(" * 3000 + ")" * 3000, "not " * 9000 + "x", "x\0", "\ud83d"])
def test_what_is_no_condition_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an expression|surrogates"):
        parse_expression(text)


@given(st.text(alphabet="x10.+-*/%()[]'<>=!, andornotisfe", max_size=30))
@settings(max_examples=300)
def test_any_text_is_a_condition_or_a_value_error(text: str) -> None:
    try:
        parse_expression(text)({"x": 2, "a": "b", "e": None})
    except (ValueError, KeyError):  # KeyError: of a name that a sweep would have refused
        return


@pytest.mark.parametrize("section", ["samples", "limits", "common", "constraints", "search"])
def test_an_empty_section_means_its_defaults(section: str) -> None:
    assert parse_spec(MINIMAL | {section: None}) == parse_spec(MINIMAL)


def test_an_architecture_with_nothing_behind_it_has_all_defaults() -> None:
    spec = parse_spec(MINIMAL | {"architectures": {"kgram": None, "lstm": {}}})
    assert spec.architectures == {"kgram": {}, "lstm": {}}
    assert parse_spec(MINIMAL | {"data": {"tokenizer": None, "numbers": None}}).data_config


@pytest.mark.parametrize("written", ["kgram", ["kgram", "lstm"], ("kgram",)])
def test_names_without_settings_are_shown_as_they_are_to_be_written(written: Any) -> None:
    with pytest.raises(InputError, match=r"\{kgram: \{\}"):
        parse_spec(MINIMAL | {"architectures": written})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("samples", {"prompts": ["fine", "\ud83d here"]}, r"samples.prompts\[1\]: a surrogate"),
        ("name", "\udc00", "name: a surrogate"),
        ("common", {"batch\ud83d": 4}, r"common.batch.ud83d: a surrogate"),
        ("architectures", {"": {"model": "lstm"}}, "the name of an architecture stands"),
        ("architectures", {"a\nb": {"model": "lstm"}}, r"'a.nb'"),
        ("architectures", {"\x1b[2J": {"model": "lstm"}}, "in one line"),
        ("seed", 2**63, "seed: a number beyond 64 bits"),
        ("architectures", {"kgram": {"context_size": [2, -(2**63) - 1]}}, "beyond 64 bits"),
        ("budget", {"min": 10**4000}, "budget.min: a number beyond 64 bits(.|\n)*4001 digits"),
    ],
)
def test_what_no_table_can_hold_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(MINIMAL | {key: value})


@pytest.mark.parametrize(
    ("objective", "goal", "remarks"),
    [
        ({"metric": "val_accuracy"}, "maximize", 0),
        ({"metric": "val_accuracy", "goal": None}, "maximize", 0),
        ({"metric": "seconds"}, "minimize", 0),
        ({}, "minimize", 0),
        ({"metric": "val_accuracy", "goal": "minimize"}, "minimize", 1),
        ({"goal": "maximize"}, "maximize", 1),
    ],
)
def test_the_goal_follows_from_the_metric(
    objective: dict[str, Any], goal: str, remarks: int
) -> None:
    spec = parse_spec(MINIMAL | {"objectives": [objective]})
    assert spec.objectives[0].goal == goal
    assert len(unusual_goals(spec)) == remarks


def test_a_list_of_the_data_settings_goes_through_a_spec_and_its_json() -> None:
    spec = parse_spec(MINIMAL | {"data": {"source": "code", "include": ["*.cpp", "a/*"]}})
    assert spec.data_config.include == ("*.cpp", "a/*")
    again = parse_spec(spec.model_dump(mode="json"))
    assert again.data_config == spec.data_config
