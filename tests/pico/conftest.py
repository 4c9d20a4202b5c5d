import random

import pytest
import torch

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory):
    """A file of short sentences from nine words, with blank lines between them."""
    draw = random.Random(0)
    words = ["red", "blue", "fox", "hen", "runs", "sits", "on", "the", "log"]
    lines = [" ".join(draw.choice(words) for _ in range(30)) for _ in range(200)]
    path = tmp_path_factory.mktemp("text") / "sentences.txt"
    path.write_text("\n\n".join(lines))
    return path


@pytest.fixture(scope="session")
def tiny_data(tiny_text, tmp_path_factory):
    """That text by characters: about 20 tokens, 23 thousand of them for training."""
    return _prepared(tiny_text, tmp_path_factory, block_size=16)


@pytest.fixture(scope="session")
def padded_data(tiny_text, tmp_path_factory):
    """The same with a sentence in each row, so that rows are padded unevenly."""
    return _prepared(tiny_text, tmp_path_factory, block_size=160, mode="padded")


def _prepared(path, tmp_path_factory, **fields):
    config = DataConfig(source=str(path), tokenizer=TokenizerConfig(kind="char"), **fields)
    return prepare(config, tmp_path_factory.mktemp("prepared"))
