"""What a newcomer can ask about a spec, from a terminal."""

import json
from pathlib import Path

import pytest

from picosweep.start.explain import explain
from picosweep.start.settings import architecture_names, groups
from picosweep.sweeps.errors import InputError
from tests.small_sweep import picosweep


def told(topic: str) -> list[str]:
    """The paths of what is explained under a topic."""
    return [one.group.path(setting) for one in explain(topic) for setting in one.settings]


def test_a_section_comes_with_those_in_it() -> None:
    assert {"data.source", "data.tokenizer.kind", "data.numbers.length"} <= set(told("data"))
    assert told("data.tokenizer") == [
        f"data.tokenizer.{key}" for key in ("kind", "vocab_size", "path")
    ]


def test_a_setting_is_found_wherever_it_stands() -> None:
    """By its name in several places, by its path in one."""
    assert {"seed", "data.seed", "data.numbers.seed", "search.seed"} == set(told("seed"))
    assert told("data.seed") == ["data.seed"]
    models = [one.group.name for one in explain("num_layers")]
    assert models == ["lstm", "transformer", "linear_transformer"]


def test_every_key_that_an_error_can_name_is_explained() -> None:
    for group in groups():
        for setting in group.settings:
            assert explain(setting.name)
    for name in architecture_names():
        assert explain(name)[0].group.name == name


@pytest.mark.parametrize(
    ("asked", "meant"), [("n_embd", "is it embed_size?"), ("bugdet", "did you mean budget?")]
)
def test_other_tools_names_and_slips_are_answered(asked: str, meant: str) -> None:
    with pytest.raises(InputError, match=meant.replace("?", r"\?")):
        explain(asked)


def test_it_is_said_on_a_terminal_and_as_data(tmp_path: Path) -> None:
    said = picosweep("explain", "learning_rate", cwd=tmp_path)
    assert "learning_rate  number, above 0; default 0.001" in said
    assert "`" not in picosweep("explain", "data", cwd=tmp_path)
    contents = picosweep("explain", cwd=tmp_path)
    assert all(name in contents for name in [*architecture_names(), "early_stopping", "vocab_size"])
    (found,) = json.loads(picosweep("explain", "budget.min", "--json", cwd=tmp_path))
    assert found["settings"][0]["name"] == "min"
    assert "nothing is called so" in picosweep("explain", "loss", cwd=tmp_path, expect=2)
