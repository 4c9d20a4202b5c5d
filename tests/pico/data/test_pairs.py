"""The user's own preference pairs: read, split by prompt, cut, and counted where they are none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from picosweep.pico.data.pairs import TextPair, read_pairs, with_pairs
from picosweep.pico.errors import FieldError
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.preference_pairs import OwnPairs

WORDS = ("red", "blue", "fox", "hen", "log")
ROWS = [
    {"prompt": f"the {one} {other}", "chosen": " runs", "rejected": " sits on", "id": number}
    for number in range(3)
    for one in WORDS
    for other in ("on", *WORDS)
]
"""Every prompt three times, in words of the tiny text."""


def pairs(rows: list[dict[str, Any]]) -> list[TextPair]:
    names = ("prompt", "chosen", "rejected")
    return [TextPair(**{name: row[name] for name in names}) for row in rows]


def test_json_lines_and_parquet_are_read_alike(tmp_path: Path) -> None:
    """Further columns do not matter; empty lines neither."""
    lines = tmp_path / "pairs.jsonl"
    lines.write_text("\n\n".join(map(json.dumps, ROWS)))
    table = tmp_path / "pairs.parquet"
    pl.DataFrame(ROWS).write_parquet(table)
    assert read_pairs(lines) == read_pairs(table) == pairs(ROWS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"prompt": "a"}\n', "row 2"),
        ('{"prompt": "a", "chosen": 1, "rejected": "c"}', "no text in 'chosen'"),
        ("[1, 2]", "a list"),
        ("{", "no JSON"),
        ("", "there are no pairs"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_row_that_is_no_pair_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    """With the file and the row."""
    path = tmp_path / "pairs.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FieldError, match=said):
        read_pairs(path)


def test_all_pairs_of_a_prompt_are_on_one_side(tiny_data: Any) -> None:
    """And the fingerprint is of their text: another pair is other data."""
    found = with_pairs(tiny_data, pairs(ROWS), 0.3)
    assert found.pairs is not None
    end = tiny_data.tokenizer.end_of_text_id
    prompts = []
    for side in (found.pairs.train, found.pairs.validation):
        begins = [0, *side.ends[:-1].tolist()]
        parts = [side.tokens[a:b].tolist() for a, b in zip(begins, side.ends, strict=True)]
        prompts.append({tuple(part) for part in parts[::3]})
        for prompt, chosen, rejected in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            assert prompt[0] == end
            assert chosen == [*tiny_data.tokenizer.encode(" runs"), end]
            assert rejected == [*tiny_data.tokenizer.encode(" sits on"), end]
    assert prompts[0]
    assert prompts[1]
    assert not prompts[0] & prompts[1]
    assert found.meta.fingerprint != tiny_data.meta.fingerprint
    other = with_pairs(tiny_data, pairs([*ROWS[:-1], ROWS[0]]), 0.3)
    assert other.meta.fingerprint != found.meta.fingerprint
    assert found.meta.fingerprint == with_pairs(tiny_data, pairs(ROWS), 0.3).meta.fingerprint


def test_completions_without_tokens_are_counted(tiny_data: Any) -> None:
    """Never clamped; and where nothing is left for a side, that is said."""
    empty = [row | {"chosen": ""} for row in ROWS[:5]]
    found = with_pairs(tiny_data, pairs([*ROWS, *empty]), 0.3)
    assert found.pairs is not None
    assert found.pairs.num_dropped == 5
    with pytest.raises(FieldError, match="no pair is left for training"):
        with_pairs(tiny_data, pairs(empty), 0.3)
    with pytest.raises(FieldError, match="no pair is left for validation"):
        with_pairs(tiny_data, pairs(ROWS), 0.0)


def test_members_are_cut_at_their_end(tiny_data: Any) -> None:
    """Prompts that fill the block make no pair; a completion of one token is enough."""
    found = with_pairs(tiny_data, pairs(ROWS), 0.3)
    assert found.pairs is not None
    prompt = 1 + len(tiny_data.tokenizer.encode(ROWS[0]["prompt"]))
    whole = OwnPairs(found.pairs.train, 32)
    batch = whole.batch(np.array([0]))
    assert (batch.y[0] != IGNORED).sum() == len(tiny_data.tokenizer.encode(" runs")) + 1
    assert batch.y[0, prompt - 1] == tiny_data.tokenizer.encode(" runs")[0]
    assert (batch.x[0, :prompt] == batch.x[1, :prompt]).all()
    longest = 1 + max(len(tiny_data.tokenizer.encode(row["prompt"])) for row in ROWS)
    cut = OwnPairs(found.pairs.train, longest)
    assert cut.num_dropped == 0
    assert (cut.batch(np.arange(len(cut))).y != IGNORED).sum(1).min() == 1
    short = OwnPairs(found.pairs.train, prompt)
    assert short.num_dropped > 0
    assert len(short) + short.num_dropped == len(whole)
    with pytest.raises(FieldError, match="every prompt fills the block"):
        OwnPairs(found.pairs.train, 4)
