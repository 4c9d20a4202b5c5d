"""Prompts: what stands between them and what is written, and what cannot be read."""

from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.data.tokenizers.tokenizer import CharacterTokenizer, IntegerTokenizer
from picosweep.pico.probes.generate import prompt_ids, separator_after
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep

NUMBERS = IntegerTokenizer.train(["1 2 56"])
LETTERS = CharacterTokenizer.train(["abc"])


@pytest.mark.parametrize(
    ("prompt", "between"), [("1 2", " "), ("1 2 ", ""), ("1 2\n", ""), ("", "")]
)
def test_numbers_stand_apart_from_the_prompts_last_one(prompt: str, between: str) -> None:
    assert separator_after(NUMBERS, prompt) == between
    assert separator_after(LETTERS, prompt) == ""


@pytest.mark.parametrize("prompt", ["", "  ", "\n"])
def test_a_prompt_without_a_number_is_the_start_of_a_document(prompt: str) -> None:
    assert prompt_ids(NUMBERS, prompt) == [NUMBERS.end_of_text_id]


def spec(prompts: list[str]) -> dict[str, Any]:
    return {
        "name": "numbers",
        "data": {"source": "numbers:families", "tokenizer": {"kind": "int"}, "block_size": 16},
        "budget": {"unit": "steps", "min": 4, "rungs": 1},
        "architectures": {"kgram": {}},
        "samples": {"prompts": prompts},
    }


def test_a_prompt_that_no_tokenizer_reads_is_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"samples.prompts\[1\]: the tokenizer cannot read"):
        prepare_all(check_sweep(spec(["1 2", "hello"])), tmp_path)
    prepare_all(check_sweep(spec(["1 2", "", " ", "3, 4"])), tmp_path)
