"""The schema that editors use, held against the program's own verdict."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from picosweep.start.settings import read_schema
from picosweep.start.shipped import shipped_specs
from picosweep.studies.study import load_study, study_names
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.spec.document import read_yaml
from tests.small_sweep import small_text

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(read_schema())
SNIPPET = re.compile(r"```yaml\n(.*?)```", re.DOTALL)

GOOD: dict[str, Any] = {
    "name": "good",
    "data": {"source": "text.txt", "tokenizer": {"kind": "char"}},
    "budget": {"min": 1000},
    "common": {"learning_rate": {"log_uniform": [1e-3, 1e-2]}},
    "architectures": {"kgram": {"context_size": [1, 2]}},
}


def changed(**changes: Any) -> dict[str, Any]:
    """The good spec with some of its sections in other words."""
    return {**GOOD, **changes}


def arch(**entry: Any) -> dict[str, Any]:
    """The good spec with another entry in place of its K-gram's."""
    name = entry.pop("name", "transformer")
    return changed(architectures={name: entry})


WRONG: Mapping[str, dict[str, Any]] = {
    "no name": {key: value for key, value in GOOD.items() if key != "name"},
    "name with a slash": changed(name="a/b"),
    "name a number": changed(name=3),
    "no budget": {key: value for key, value in GOOD.items() if key != "budget"},
    "budget without min": changed(budget={"rungs": 2}),
    "budget of nothing": changed(budget={"min": 0}),
    "factor 1": changed(budget={"min": 1000, "factor": 1}),
    "unknown unit": changed(budget={"min": 1000, "unit": "epochs"}),
    "rungs as text": changed(budget={"min": 1000, "rungs": "three"}),
    "unknown section": changed(schedule={}),
    "unknown key of data": changed(data={"source": "text.txt", "tokeniser": {}}),
    "unknown tokenizer": changed(data={"source": "text.txt", "tokenizer": {"kind": "word"}}),
    "block of nothing": changed(data={"source": "text.txt", "block_size": 0}),
    "all text for validation": changed(data={"source": "text.txt", "validation_fraction": 1}),
    "unknown mode": changed(data={"source": "text.txt", "mode": "stream"}),
    "unknown metric": changed(objectives=[{"metric": "loss"}]),
    "no objective": changed(objectives=[]),
    "unknown sampler": changed(search={"sampler": "bayes"}),
    "no trials": changed(search={"trials_per_architecture": 0}),
    "unknown scheduler": changed(early_stopping={"scheduler": "hyperband"}),
    "a share above 1": changed(early_stopping={"exempt_fraction": 1.5}),
    "no architectures": changed(architectures={}),
    "unknown architecture": arch(name="rnn"),
    "unknown model": arch(name="mine", model="rnn"),
    "unknown preset": arch(name="mine", preset="gpt-2"),
    "unknown hyperparameter": arch(num_layer=2),
    "another's hyperparameter": arch(context_size=3),
    "layers as text": arch(num_layers="two"),
    "layers in halves": arch(num_layers=1.5),
    "unknown choice": arch(position="absolute"),
    "a choice among others": arch(activation=["gelu", "swish"]),
    "no choices": arch(num_layers=[]),
    "a choice twice": arch(num_layers=[1, 1]),
    "a range of another name": arch(learning_rate={"loguniform": [1e-4, 1e-2]}),
    "half a range": arch(learning_rate={"log_uniform": [1e-4]}),
    "numbers for whole numbers": arch(num_layers={"uniform": [1, 3]}),
    "two kinds of range": arch(dropout={"uniform": [0.0, 0.3], "log_uniform": [0.1, 0.3]}),
    "a step on a logarithm": arch(learning_rate={"log_uniform": [1e-4, 1e-3], "step": 1e-4}),
    "a step of choices": arch(dropout={"choices": [0.0, 0.3], "step": 0.1}),
    "half a step of whole numbers": arch(num_layers={"int_uniform": [1, 3], "step": 0.5}),
    "no range at all": arch(dropout={"when": "norm == 'layer'"}),
    "a step of nothing": arch(num_layers={"int_uniform": [1, 3], "step": 0}),
    "a condition that is no text": arch(num_heads={"choices": [2, 4], "when": True}),
    "common of none": changed(common={"num_layer": 2}),
    "unknown corruption": changed(task="preference", init_from="a", preference={"corruption": "x"}),
    "a suite of another name": changed(evaluate={"suite": ["math"]}),
    "a probe of another name": changed(probes={"kinds": "heads"}),
    "rungs at their ends": changed(samples={"rungs": "first"}),
    "no slots": changed(resources={"cpu": 0}),
    "no attempts": changed(limits={"attempts": 0}),
}

OUT_OF_RANGE: Mapping[str, dict[str, Any]] = {
    "no layers": arch(num_layers=0),
    "no layers among choices": arch(num_layers=[0, 1]),
    "dropout of all": arch(dropout=1),
    "a range below the least": arch(dropout={"uniform": [-0.1, 0.1]}),
    "rate of nothing": arch(learning_rate=0),
}
"""Configurations that the program leaves out, and refuses where there are no others."""

RIGHT: Mapping[str, dict[str, Any]] = {
    "good": GOOD,
    "sections with nothing in them": changed(search=None, limits=None, samples=None),
    "a suite without brackets": changed(evaluate={"suite": "text"}),
    "another name": arch(name="mine", model="transformer", num_layers=2),
    "a built-in's name for another": arch(name="kgram", model="lstm", num_layers=2),
    "a preset": arch(name="mine", preset="gpt-char", learning_rate=[1e-3, 1e-4]),
    "a fixed null": arch(grad_clip=None),
    "null among choices": arch(grad_clip=[None, 1.0]),
    "a stepped range": arch(dropout={"uniform": [0.0, 0.3], "step": 0.1}),
    "whole numbers for numbers": arch(mlp_ratio={"int_uniform": [2, 4]}),
    "a condition": arch(attention=["softmax", "linear"],
                        num_heads={"choices": [2, 4], "when": "attention == 'softmax'"}),
    "a class": arch(name="mine", model="picosweep.studies.models.activated_lstm:ActivatedLSTM",
                    activation=["none", "relu"]),
    "context of some": arch(block_size=[16, 32]),
    "preferences": changed(task="preference", init_from="a", objectives=[
        {"metric": "preference_accuracy"}], preference={"loss": ["dpo", "ipo"], "beta": 0.1}),
}  # fmt: skip


def program_accepts(spec: Mapping[str, Any]) -> bool:
    """What `picosweep run` says of a spec before it looks at the data."""
    try:
        check_sweep(spec)
    except InputError:
        return False
    return True


def shipped() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every spec that is shipped, those of studies in both profiles."""
    for name, file in shipped_specs().items():
        yield name, read_yaml(file).content
    for name in study_names():
        _, study = load_study(name)
        for sweep in study.sweeps:
            for profile in ("small", "full"):
                yield f"{name}/{sweep}/{profile}", study.spec(name, sweep, profile, "text.txt")


def snippets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every piece of a spec in the documents, put into a whole one."""
    for file in [ROOT / "README.md", ROOT / "docs/spec.md", ROOT / "docs/evaluation.md"]:
        for number, text in enumerate(SNIPPET.findall(file.read_text(encoding="utf-8"))):
            content = yaml.safe_load(text)
            if (
                isinstance(content, dict)
                and content.keys() <= VALIDATOR.schema["properties"].keys()
            ):
                whole = read_yaml_text(text)
                yield f"{file.name} {number}", {**GOOD, **whole}


def read_yaml_text(text: str) -> dict[str, Any]:
    """A piece of YAML as the program reads it: 1e-4 is a number there."""
    content = yaml.safe_load(re.sub(r"\b(\d+)e-(\d+)", r"\1.0e-\2", text))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", WRONG)
def test_what_the_program_refuses_is_underlined(name: str) -> None:
    assert not program_accepts(WRONG[name])
    assert not VALIDATOR.is_valid(WRONG[name]), name


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_what_no_configuration_can_have_is_underlined(name: str, tmp_path: Path) -> None:
    """The program leaves these out one by one, and says of how many."""
    (tmp_path / "text.txt").write_text(small_text(30), encoding="utf-8")
    data = {"source": str(tmp_path / "text.txt"), "tokenizer": {"kind": "char"}}
    checked = check_sweep({**OUT_OF_RANGE[name], "data": data})
    metas = prepare_all(checked, tmp_path).metas
    try:
        (found,) = checked.with_data(metas).feasibility.values()
    except InputError:
        pass
    else:
        assert 0 < found.num_feasible < found.num_checked
    assert not VALIDATOR.is_valid(OUT_OF_RANGE[name])


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_program_takes_is_not(name: str) -> None:
    assert program_accepts(RIGHT[name])
    VALIDATOR.validate(RIGHT[name])


def test_shipped_specs_are_not() -> None:
    found = dict(shipped())
    assert len(found) > 40
    for spec in found.values():
        VALIDATOR.validate(spec)


def test_the_documents_pieces_are_not() -> None:
    found = dict(snippets())
    assert len(found) > 5
    for spec in found.values():
        VALIDATOR.validate(spec)


def test_everything_is_described() -> None:
    """Whatever an editor completes, it can say what it is."""
    schema = VALIDATOR.schema
    definitions = schema["$defs"]
    for section in (schema, definitions["DataConfig"], definitions["transformer.space"]):
        for name, own in section["properties"].items():
            known = own
            while "$ref" in known and "description" not in known:
                known = definitions[known["$ref"].rpartition("/")[2]]
            if "description" not in known:
                known = definitions[known["anyOf"][0]["$ref"].rpartition("/")[2]]
            assert known["description"], name
    rate = definitions["any.learning_rate"]
    assert rate["default"] == 0.001
    assert rate["description"].startswith("Peak learning rate")
