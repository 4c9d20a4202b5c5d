"""What is said of a sweep's data is what its tokens and its trials' budgets come to."""

import re
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.data_in_words import data_in_words
from picosweep.sweeps.search.setup import check_sweep
from tests.small_sweep import SPEC, small_text


def told(folder: Path, **data: Any) -> tuple[list[str], Any]:
    """The sentences of the small sweep with other data, and the data's description."""
    spec = {key: value for key, value in SPEC.items() if key != "data"}
    budget = data.pop("budget", SPEC["budget"])
    tokens = {"tokenizer": {"kind": "char"}, "block_size": 16}
    checked = check_sweep({**spec, "data": {**tokens, **data}, "budget": budget})
    prepared = prepare_all(checked, folder)
    return data_in_words(checked.with_data(prepared.metas), prepared), prepared.own.meta


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text(small_text(200), encoding="utf-8")
    return str(tmp_path / "text.txt")


def test_both_parts_and_the_passes_over_the_first(tmp_path: Path, text: str) -> None:
    said, meta = told(tmp_path, source=text)
    numbers = [int(one.replace(",", "") or 0) for one in re.findall(r"\d[\d,]*", " ".join(said))]
    for known in (meta.num_documents, meta.num_characters, meta.train_tokens,
                  meta.validation_tokens, meta.num_validation_documents):  # fmt: skip
        assert known in numbers
    assert "chosen by a hash" in said[0]
    longest = 8192 * 2**2
    assert f"reads the training text {longest / meta.train_tokens:.2g} times" in said[1]


def test_the_parts_of_a_mixture_are_read_by_their_weights(tmp_path: Path, text: str) -> None:
    """A small part is read many times where its weight is large."""
    (tmp_path / "small.txt").write_text(small_text(300)[-4000:], encoding="utf-8")
    small = str(tmp_path / "small.txt")
    said, meta = told(tmp_path, source={text: 1, small: 3})
    passes = {
        name: float(often) for name, often in re.findall(r"(\S+\.txt) ([\d.]+) times", said[1])
    }
    for part in meta.train_parts:
        size = part.end_token - part.first_token
        assert passes[Path(part.name).name] == pytest.approx(
            8192 * 4 * part.weight / size, rel=0.06
        )
    assert passes["small.txt"] > passes["text.txt"]


def test_where_the_validation_part_is_from(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.txt").write_text(small_text(40)[::-1], encoding="utf-8")
    said, _ = told(tmp_path, source=text, validation_source=str(tmp_path / "other.txt"))
    assert said[0].endswith("of other.txt.")
    assert str(tmp_path) not in " ".join(said)
    said, _ = told(tmp_path, source=text, split="tail")
    assert "at the end of each source" in said[0]
    folder = tmp_path / "splits"
    folder.mkdir()
    (folder / "train.txt").write_text(small_text(100), encoding="utf-8")
    (folder / "validation.txt").write_text(small_text(40)[::-1], encoding="utf-8")
    said, _ = told(tmp_path, source=str(folder))
    assert "their files' names" in said[0]


def test_a_budget_in_seconds_has_no_number_of_passes(tmp_path: Path, text: str) -> None:
    said, _ = told(tmp_path, source=text, budget={"unit": "seconds", "min": 1, "rungs": 1})
    assert len(said) == 1
