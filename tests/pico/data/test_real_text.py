"""Real text, where there is some: each set is read, split and encoded as a user would."""

import pytest
import torch

from picosweep.pico.data.batching.batches import TrainBatches, validation_batches
from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.data.tokenizer_quality import check_prepared
from picosweep.pico.targets import IGNORED

pytestmark = pytest.mark.real_text

SMALL_BPE = TokenizerConfig(vocab_size=512)
CHARACTERS = TokenizerConfig(kind="char")

SETS = {
    "stories": ("tinystories/tinystories_3000.txt", 3000, {}),
    "shakespeare": ("tinyshakespeare/input.txt", 124, {"tokenizer": CHARACTERS}),
    "wikitext": ("wikitext2/wiki_raw_train_head.txt", 130, {"tokenizer": CHARACTERS}),
    "web pages": ("c4/c4_text.jsonl", 1480, {"mode": "packed"}),
    "books": ("books", 119, {}),
    "names": ("names/names.txt", 32033, {"mode": "padded", "tokenizer": CHARACTERS}),
    "saved": ("hf_save_to_disk/tinybook", 453, {"tokenizer": CHARACTERS}),
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_ready_for_training(real_text, tmp_path, name):
    """The expected documents are found, a tenth is validation, and the tokens read as text."""
    path, num_documents, fields = SETS[name]
    config = DataConfig(source=str(real_text / path), **({"tokenizer": SMALL_BPE} | fields))
    data = prepare(config, tmp_path)
    assert data.meta.num_documents == num_documents
    share = data.meta.validation_tokens / (data.meta.train_tokens + data.meta.validation_tokens)
    assert share == pytest.approx(0.1, abs=0.01)
    quality = check_prepared(data)
    assert (quality.num_round_trips, quality.num_broken_words) == (quality.num_texts, 0)
    assert quality.characters_per_token >= (1 if data.meta.tokenizer_kind == "char" else 1.9)
    x, y = TrainBatches(data, block_size=64, batch_size=8, seed=0).batch(0)
    scored = y[:, :-1] != IGNORED
    assert torch.equal(x[:, 1:][scored], y[:, :-1][scored])
    assert list(validation_batches(data, block_size=64, batch_size=8, max_tokens=4096))


def test_gpt2_tokens_are_gpt2s(real_text, tmp_path):
    """GPT-2's files give GPT-2's ids, by piece as by whole text."""
    config = DataConfig(
        source=str(real_text / "tinyshakespeare" / "input.txt"),
        tokenizer=TokenizerConfig(kind="gpt2", path=str(real_text / "tokenizer")),
        max_bytes=100_000,
    )
    data = prepare(config, tmp_path)
    assert data.meta.vocab_size == 50257
    assert data.meta.end_of_text_id == 50256
    assert data.tokenizer.encode("Hello world") == [15496, 995]
    quality = check_prepared(data)
    assert (quality.num_round_trips, quality.num_broken_words) == (quality.num_texts, 0)
