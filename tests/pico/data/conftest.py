import os
from pathlib import Path

import pytest

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.data.tokenizers.byte_bpe import train_bpe
from tests.pico.data.stories import STORIES


@pytest.fixture(scope="session")
def small_bpe():
    """A byte-level BPE of 320 tokens."""
    return train_bpe(STORIES, 320)


@pytest.fixture
def story_folder(tmp_path):
    """A folder with one file a story."""
    folder = tmp_path / "stories"
    folder.mkdir()
    for index, story in enumerate(STORIES):
        (folder / f"{index:03}.txt").write_text(story, encoding="utf-8")
    return folder


@pytest.fixture
def prepared(story_folder, tmp_path):
    """Prepare the stories by characters; keywords go to the configuration."""

    def prepare_stories(**fields):
        fields = {
            "source": str(story_folder),
            "tokenizer": TokenizerConfig(kind="char"),
            "block_size": 8,
        } | fields
        return prepare(DataConfig(**fields), tmp_path / "cache")

    return prepare_stories


@pytest.fixture(scope="session")
def real_text():
    """The folder with real text."""
    folder = os.environ.get("PICOSWEEP_TEST_DATA")
    if not folder:
        pytest.skip("PICOSWEEP_TEST_DATA does not name a folder with real text")
    return Path(folder)
