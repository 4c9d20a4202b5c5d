import json
from dataclasses import replace
from pathlib import Path

from picosweep.analysis.results import Results, load
from picosweep.analysis.trials.tokenizer_check import figure, tokenizer_sentence, tokenizer_table
from tests.analysis.handmade import write_sweep

GOOD = {
    "kind": "bpe", "vocab_size": 1024, "num_texts": 204, "num_round_trips": 204,
    "num_broken_words": 0, "characters_per_token": 3.1241, "bytes_per_token": 3.13,
    "used_fraction": 0.78,
}  # fmt: skip


def test_a_good_tokenizer_in_one_sentence() -> None:
    """All texts came back; what a token is worth is told."""
    (row,) = tokenizer_table({"s": {"tokenizer_quality": GOOD}}).to_dicts()
    assert tokenizer_sentence(row) == (
        "The bpe tokenizer gave all 204 texts of its check back unchanged, with no false blank; "
        "a token stands for 3.12 characters on average and 78 % of the 1,024 tokens occurred there."
    )


def test_a_broken_tokenizer_is_called_broken() -> None:
    """Changed texts and words in pieces are counted, and what that means is said."""
    bad = GOOD | {"num_round_trips": 201, "num_broken_words": 1}
    (row,) = tokenizer_table({"s": {"tokenizer_quality": bad}}).to_dicts()
    sentence = tokenizer_sentence(row)
    assert "changed 3 texts of 204 in its check and put false blanks into 1 word" in sentence
    assert "did not read what was written" in sentence


def test_what_was_not_recorded_is_left_out(results: Results) -> None:
    """No file, no check, a check of no text, odd types: no figure or a shorter sentence."""
    assert figure(replace(results, data={})) is None
    odd = {"a": {}, "b": {"tokenizer_quality": None}, "c": {"tokenizer_quality": {"num_texts": 0}}}
    assert tokenizer_table(odd).is_empty()
    (row,) = tokenizer_table(
        {"s": {"tokenizer_quality": {"num_texts": 2, "num_round_trips": 2, "vocab_size": "many"}}}
    ).to_dicts()
    assert tokenizer_sentence(row) == (
        "The tokenizer gave all 2 texts of its check back unchanged, with no false blank."
    )


def test_each_sweep_has_its_own(tmp_path: Path) -> None:
    """The check is read from beside the tables; several sweeps are named."""
    folders = []
    for name, worth in (("one", 1.0), ("two", 3.5)):
        folder = write_sweep(tmp_path / name, name=name, trials_per_architecture=1,
                             architectures=("lstm",))  # fmt: skip
        quality = GOOD | {"characters_per_token": worth}
        (folder / "data.json").write_text(json.dumps({"tokenizer_quality": quality}))
        folders.append(folder)
    alone, both = figure(load(folders[0])), figure(load(folders))
    assert alone is not None
    assert both is not None
    assert alone.panels[0].table is not None
    assert "sweep" not in alone.panels[0].table.columns
    assert "two: The bpe tokenizer" in both.panels[0].sentence
    assert "3.50 characters" in both.panels[0].sentence
