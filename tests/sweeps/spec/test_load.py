"""Specs: what is wrong with one is said in one message, with the place."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from picosweep.pico.data.config import DataConfig
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.load import load_spec
from picosweep.sweeps.spec.schema import Samples
from picosweep.sweeps.spec.spaces import build_spaces
from picosweep.sweeps.workers.simulated import simulated_data
from tests.sweeps.simulation import SPEC

ROOT = Path(__file__).parents[3]


def _refusal(tmp_path: Path, spec: Any) -> str:
    """The message for a spec that must be refused somewhere before training."""
    path = tmp_path / "spec.yaml"
    path.write_text(spec if isinstance(spec, str) else yaml.safe_dump(spec, sort_keys=False))
    with pytest.raises(InputError) as refused:
        _check(path)
    return str(refused.value)


def _check(path: Path) -> None:
    checked = check_sweep(path)
    checked.with_data(simulated_data(checked.spec))


def _changed(*keys: str, to: Any) -> dict[str, Any]:
    """`SPEC` with one value changed, or one key removed."""
    spec: dict[str, Any] = copy.deepcopy(SPEC)
    section = spec
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    if to is None:
        del section[keys[-1]]
    else:
        section[keys[-1]] = to
    return spec


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        (_changed("serach", to={}), ["serach: unknown key", "did you mean search?"]),
        (_changed("search", "samplr", to="tpe"), ["search.samplr", "did you mean sampler?"]),
        (_changed("search", "sampler", to="tpee"), ["search.sampler", "'tpee'", "mean tpe?"]),
        (_changed("budget", "min", to="many"), ["budget.min: wrong type", "'many' (str)"]),
        (_changed("budget", "min", to=0), ["budget.min: out of range", "above 0"]),
        (_changed("budget", to=None), ["budget: this key is required"]),
        (_changed("name", to="../up"), ["name: only letters", "'../up'"]),
        (_changed("limits", "minutes", to=-1), ["limits.minutes", "above 0"]),
        (_changed("data", "blocksize", to=4), ["data.blocksize", "mean block_size?"]),
        (_changed("data", "tokenizer", to={"kind": "bpee"}), ["data.tokenizer.kind", "bpe"]),
        (_changed("data", "validation_fraction", to=2), ["data.validation_fraction", "below 1"]),
        (_changed("objectives", to=[{"metric": "num_params"}]), ["objectives", "val_loss"]),
        (_changed("objectives", to=[]), ["objectives: "]),
        (_changed("samples", "rungs", to=[0, 3]), ["samples.rungs", "no such rung", "0 to 2"]),
        (_changed("samples", "rungs", to=[-1]), ["samples.rungs", "at least 0"]),
        (_changed("samples", "rungs", to="first"), ["samples.rungs", "'last'"]),
        (_changed("architectures", to={}), ["architectures: "]),
        (_changed("architectures", "kgramm", to={}), ["unknown architecture", "mean kgram?"]),
        (
            _changed("architectures", "kgram", "embed_sise", to=8),
            ["architectures.kgram.embed_sise", "unknown hyperparameter", "mean embed_size?"],
        ),
        (_changed("common", "embed_sise", to=8), ["common.embed_sise", "mean embed_size?"]),
        (
            _changed("architectures", "kgram", "embed_size", to=[8, "big"]),
            ["kgram.embed_size", "'big' is not a whole number"],
        ),
        (
            _changed("architectures", "kgram", "embed_size", to=[8, 8.5]),
            ["8.5 is not a whole number"],
        ),
        (
            _changed("architectures", "kgram", "activation", to=["relu", "reluu"]),
            ["kgram.activation", "'reluu'", "gelu"],
        ),
        (
            _changed("common", "learning_rate", to={"log_uniform": [1e-2, 1e-4]}),
            ["common.learning_rate", "low 0.01 must be below high 0.0001"],
        ),
        (
            _changed("architectures", "kgram", "embed_size", to=[8, -8]),
            ["kgram.embed_size", "a choice that is never possible", "-8"],
        ),
        (
            _changed("constraints", to=["num_params < 0"]),
            ["architectures.kgram", "nothing in this space can be trained", "num_params < 0"],
        ),
        (
            _changed("constraints", to=["num_parms < 9"]),
            ["constraints[0]", "no architecture of this sweep has num_parms", "mean num_params?"],
        ),
        (_changed("constraints", to=["open('x')"]), ["constraints[0]", "open('x')"]),
        (
            _changed("common", "batch_size", to=[5]),
            ["256 tokens is not a whole number of steps of 80 tokens"],
        ),
        ("", ["an empty file"]),
        ("- a\n", ["mapping of keys"]),
        ("name: a\nname: b\n", ["spec.yaml:2: name", "twice, on lines 1 and 2"]),
        ("name: [\n", ["not valid YAML"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, spec: Any, parts: list[str]) -> None:
    """Each mistake names its place, what was found and what would be right."""
    message = _refusal(tmp_path, spec)
    for part in parts:
        assert part in message
    assert "spec.yaml" in message
    assert "Traceback" not in message


def test_texts_are_written_at_the_rungs_asked_for() -> None:
    """The last one, all of them, or those that the spec names."""
    asked = {"last": [3], "all": [0, 1, 2, 3], (0, 2): [0, 2]}
    for rungs, expected in asked.items():
        written = list(rungs) if isinstance(rungs, tuple) else rungs
        assert Samples.model_validate({"rungs": written}).at(4) == expected


def test_the_line_is_the_line(tmp_path: Path) -> None:
    """The line in a message is the one with the mistake."""
    text = yaml.safe_dump(_changed("search", "samplr", to="tpe"), sort_keys=False)
    line = 1 + [line.strip() for line in text.splitlines()].index("samplr: tpe")
    assert f"spec.yaml:{line}: search.samplr" in _refusal(tmp_path, text)


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """Two mistakes, two messages: nobody wants to find them one by one."""
    spec = _changed("budget", "min", to=0)
    spec["serach"] = {}
    message = _refusal(tmp_path, spec)
    assert "budget.min" in message
    assert "serach" in message


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    """A path that is no file is told by its name."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(InputError, match="cannot read the file"):
            load_spec(path)


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    """`1e-4` is a number and `off` is a text, unlike in YAML 1.1."""
    path = tmp_path / "spec.yaml"
    text = yaml.safe_dump(SPEC).replace("0.0001", "1e-4")
    path.write_text(text.replace("batch_size:\n  - 4\n  - 8", "batch_size: 8\n  schedule: off"))
    spec, _ = load_spec(path)
    assert spec.common["learning_rate"] == {"log_uniform": [1e-4, 0.1]}
    assert spec.common["schedule"] == "off"


def test_the_data_section_has_picos_defaults(tmp_path: Path) -> None:
    """A default of the data lives in `pico` alone."""
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    spec, _ = load_spec(path)
    assert spec.data_config == DataConfig(source="stdlib", block_size=16)


def test_the_specs_that_come_along_are_right() -> None:
    """Every spec in the package passes the checks that a user's would."""
    paths = sorted((ROOT / "sweeps/specs").glob("*.yaml"))
    assert paths
    for path in paths:
        spec, document = load_spec(path)
        build_spaces(spec, document, find_architectures(spec, document))


def test_a_choice_that_fails_in_some_company_is_not_called_impossible(tmp_path: Path) -> None:
    """Widths that no number of heads in the sample divides are left out, one by one."""
    heads = {"embed_size": {"int_uniform": [8, 64]}, "num_heads": [2, 4], "position": "learned"}
    spec = _changed("architectures", to={"transformer": heads})
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    checked = check_sweep(path)
    found = checked.with_data(simulated_data(checked.spec)).feasibility["transformer"]
    assert not found.complete
    assert 0 < found.num_feasible < found.num_checked
    assert all("multiple of num_heads" in reason for reason in found.reasons)
