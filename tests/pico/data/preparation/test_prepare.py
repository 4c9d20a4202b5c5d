import json
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.errors import FieldError
from tests.pico.data.stories import STORIES

CHARACTERS = TokenizerConfig(kind="char")


def texts_of(data, split):
    """The documents of a split, decoded."""
    tokens, starts = getattr(data, split), getattr(data, f"{split}_starts")
    parts = getattr(data.meta, f"{split}_parts")
    return [
        data.tokenizer.decode(tokens[first + 1 : end].tolist())
        for part in parts
        for first, end in zip(
            starts[part.first_start : part.end_start - 1],
            starts[part.first_start + 1 : part.end_start],
            strict=True,
        )
    ]


@pytest.mark.parametrize("tokenizer", [CHARACTERS, TokenizerConfig(vocab_size=300)])
def test_every_document_arrives_on_one_side(prepared, tokenizer):
    """The two token arrays hold all documents, in their order, and share none."""
    data = prepared(tokenizer=tokenizer)
    train, validation = texts_of(data, "train"), texts_of(data, "validation")
    if tokenizer is CHARACTERS:
        # A character of the validation part may be unknown to the training part.
        assert len(train) + len(validation) == len(STORIES)
    else:
        assert sorted(train + validation) == sorted(STORIES)
        assert train == [story for story in STORIES if story in train]
    assert set(train).isdisjoint(validation)
    assert data.meta.num_documents == len(STORIES)
    assert data.meta.num_validation_documents == len(validation)


def test_meta_counts_what_is_there(prepared):
    """Characters, bytes, tokens and marks add up."""
    data = prepared()
    meta = data.meta
    assert meta.num_characters == sum(map(len, STORIES))
    assert meta.num_bytes == sum(len(story.encode()) for story in STORIES)
    assert meta.train_tokens == len(data.train)
    assert meta.validation_tokens == len(data.validation)
    assert meta.train_tokens + meta.validation_tokens == meta.num_characters + len(STORIES) + 2
    assert meta.characters_per_token == 1
    marks = np.flatnonzero(data.train == meta.end_of_text_id)
    assert marks.tolist() == data.train_starts.tolist()
    assert meta.vocab_size == data.tokenizer.vocab_size
    assert 0.05 < meta.validation_tokens / meta.num_characters < 0.15


def test_the_tokenizer_sees_the_training_part_alone(prepared):
    """A character that only validation documents have is unknown."""
    data = prepared()
    letters = {letter for text in texts_of(data, "train") for letter in text}
    assert set(data.tokenizer.vocabulary[2:]) == letters


def test_the_second_time_is_answered_from_disk(prepared, tmp_path, monkeypatch):
    """The same configuration reads nothing again and gives the same arrays."""
    first = prepared()
    monkeypatch.setattr("picosweep.pico.data.preparation.prepare._build", None)
    second = prepared()
    assert second.meta == first.meta
    assert np.array_equal(second.train, first.train)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert prepared(block_size=4).meta == first.meta
    with pytest.raises(FieldError, match="too short for one block"):
        prepared(block_size=100_000)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"mode": "packed"},
        {"tokenizer": TokenizerConfig(vocab_size=270)},
        {"validation_fraction": 0.3},
        {"mode": "padded", "context_tokens": 1},
        {"mode": "packed", "predict_end": False},
        {"max_documents": 30},
    ],
)
def test_fingerprints_tell_data_apart(prepared, change):
    """Whatever changes what a training step sees changes the fingerprint."""
    assert prepared(**change).meta.fingerprint != prepared().meta.fingerprint


def test_fingerprints_tell_tokenizers_apart(tmp_path):
    """The same ids of other characters are other data: a loss in bits per byte may differ."""
    fingerprints = set()
    for letters in ("abc", "äöü"):
        path = tmp_path / f"{letters}.txt"
        path.write_text("\n".join(letters[index % 3] * (index + 9) for index in range(30)))
        config = DataConfig(
            source=str(path),
            split="tail",
            tokenizer=CHARACTERS,
            document_unit="line",
            block_size=8,
        )
        fingerprints.add(prepare(config, tmp_path / "cache").meta.fingerprint)
    assert len(fingerprints) == 2


def test_fingerprints_do_not_know_paths_and_times(prepared, story_folder, tmp_path):
    """The same documents elsewhere, read later, have the same fingerprint."""
    moved = tmp_path / "moved" / "deep"
    moved.parent.mkdir()
    expected = prepared().meta.fingerprint
    story_folder.rename(moved)
    for path in moved.iterdir():
        os.utime(path, (1, 1))
    data = prepare(
        DataConfig(source=str(moved), tokenizer=CHARACTERS, block_size=8), tmp_path / "b"
    )
    assert data.meta.fingerprint == expected


def test_an_edited_file_is_prepared_anew(prepared, story_folder):
    """The cache notices a change of any file."""
    before = prepared()
    (story_folder / "000.txt").write_text("Something else happened, and it was longer.")
    after = prepared()
    assert after.meta.fingerprint != before.meta.fingerprint


@pytest.mark.parametrize("name", ["train.bin", "meta.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_files_are_made_again(prepared, tmp_path, name, damage):
    """A file cut short or missing is noticed, and the folder is replaced."""
    expected = prepared().meta
    (folder,) = (tmp_path / "cache").iterdir()
    path = folder / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        path.unlink()
    again = prepared()
    assert again.meta == expected
    assert again.tokenizer.vocab_size == expected.vocab_size


def test_failures_leave_nothing_behind(tmp_path, story_folder):
    """Where preparing fails half-way, the cache holds no trace of it."""
    config = DataConfig(source=str(story_folder), tokenizer=TokenizerConfig(kind="int"))
    with pytest.raises(FieldError, match="whole numbers only"):
        prepare(config, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_preparing_twice_at_once_is_safe(prepared, tmp_path):
    """Of several that prepare the same, all get it and one result stays."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(prepared())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({data.meta.fingerprint for data in results}) == 1
    assert len(results) == 4
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_prepared_data_travels_as_plain_arrays(prepared):
    """Pickled with buffers out of band, the arrays are not copied and no file is needed."""
    data = prepared()
    assert data.tokenizer.encode("a")
    assert data.token_bytes.sum() > 0
    buffers = []
    state = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    assert sum(len(buffer.raw()) for buffer in buffers) >= data.train.nbytes
    assert len(state) < 10_000
    copy = pickle.loads(state, buffers=buffers)
    assert copy.meta == data.meta
    assert np.array_equal(copy.train, data.train)
    assert copy.tokenizer.encode("hat") == data.tokenizer.encode("hat")
    assert not isinstance(copy.train, np.memmap)


def test_tokens_take_two_bytes_where_they_fit(prepared, tmp_path):
    """Large vocabularies take four."""
    assert prepared().train.dtype == np.uint16
    path = tmp_path / "numbers.txt"
    path.write_text("\n".join(str(number) for number in range(90_000)))
    config = DataConfig(
        source=str(path), tokenizer=TokenizerConfig(kind="int"), document_unit="line"
    )
    assert prepare(config, tmp_path / "cache").train.dtype == np.uint32


def test_mixtures_keep_their_parts_and_weights(tmp_path, story_folder):
    """Each source has its own region on both sides; a text in two sources is on one side."""
    other = tmp_path / "other.jsonl"
    other.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in [*STORIES[::2], *"qwertyuiop"])
    )
    config = DataConfig(
        source={str(story_folder): 3, str(other): 1},
        tokenizer=CHARACTERS,
        block_size=4,
        validation_fraction=0.3,
    )
    data = prepare(config, tmp_path / "cache")
    weights = {part.name: part.weight for part in data.meta.train_parts}
    assert weights == {str(story_folder): 0.75, str(other): 0.25}
    assert sum(part.num_tokens for part in data.meta.train_parts) == data.meta.train_tokens
    documents = [part.num_documents for part in data.meta.train_parts + data.meta.validation_parts]
    assert sum(documents) == len(STORIES) + len(STORIES) // 2 + 10
    assert set(texts_of(data, "train")).isdisjoint(texts_of(data, "validation"))
    swapped = replace(config, source=dict(reversed(config.source.items())))
    assert prepare(swapped, tmp_path / "cache").meta == data.meta


def test_weights_are_part_of_the_fingerprint(tmp_path, story_folder):
    """Other weights draw other rows, so they are other data; proportional ones are the same."""
    fingerprints = [
        prepare(
            DataConfig(
                source={str(story_folder): weight, "numbers:counting": 1},
                tokenizer=CHARACTERS,
                block_size=8,
            ),
            tmp_path / "cache",
        ).meta.fingerprint
        for weight in (1, 2)
    ]
    assert fingerprints[0] != fingerprints[1]


def test_a_file_can_come_with_its_own_split(tmp_path):
    """The validation source is validation whole, and training has none of its documents."""
    train, validation = tmp_path / "train.txt", tmp_path / "validation.txt"
    train.write_text("1 2 3\n2 4 6\n5 6 7\n")
    validation.write_text("2 4 6\n3 4 5\n")
    config = DataConfig(
        source=str(train),
        validation_source=str(validation),
        tokenizer=TokenizerConfig(kind="int"),
        mode="padded",
        block_size=4,
    )
    data = prepare(config, tmp_path / "cache")
    assert texts_of(data, "train") == ["1 2 3", "5 6 7"]
    unknown = "\N{REPLACEMENT CHARACTER}"
    assert texts_of(data, "validation") == [f"2 {unknown} 6", f"3 {unknown} 5"]


@given(limit=st.integers(2, 9))
def test_limits_take_the_beginning(tmp_path_factory, limit):
    """`max_documents` and `max_bytes` stop reading where they say."""
    folder = tmp_path_factory.mktemp("limits")
    path = folder / "lines.txt"
    path.write_text("\n".join("abcdefghi"))
    fields = {"source": str(path), "document_unit": "line", "block_size": 1, "mode": "packed"}
    for key in ("max_documents", "max_bytes"):
        config = DataConfig(tokenizer=CHARACTERS, **fields, **{key: limit})
        data = prepare(config, folder / "cache")
        texts = texts_of(data, "train") + texts_of(data, "validation")
        assert data.meta.num_documents == limit
        assert data.meta.train_tokens + data.meta.validation_tokens == 2 * limit + 2
        assert len(texts) == limit


def test_progress_is_told(prepared, story_folder, tmp_path):
    """Stages come in order and end at one."""
    told = []
    config = DataConfig(source=str(story_folder), tokenizer=CHARACTERS)
    prepare(config, tmp_path / "cache", progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[0][0] == "reading"
    assert told[-1] == ("ready", 1.0)


def test_a_text_too_short_for_one_block_is_refused(prepared):
    """The error says how many tokens there are and how many are needed."""
    message = r"data\.source: too short for one block of 100000 tokens; found \d+ training tokens"
    with pytest.raises(FieldError, match=message + r".*allowed: at least 100001 tokens"):
        prepared(block_size=100_000)


def test_text_without_words_is_refused(tmp_path):
    """A file of blanks holds no document."""
    path = tmp_path / "blank.txt"
    path.write_text(" \n\n \t")
    with pytest.raises(FieldError, match=r"holds no text; found blank\.txt"):
        prepare(DataConfig(source=str(path)), tmp_path / "cache")


def test_a_folder_that_cannot_be_written_is_refused(story_folder):
    """The error names the folder."""
    config = DataConfig(source=str(story_folder))
    with pytest.raises(FieldError, match=r"cannot be written; found /proc/no/such/folder"):
        prepare(config, story_folder.__class__("/proc/no/such/folder"))


def test_large_texts_stream_through(tmp_path, monkeypatch):
    """Reading, splitting and encoding hold a small, fixed part of a text at any time."""
    path = tmp_path / "large.txt"
    line = "Some words that fill a line of a text that is far too long to be held in memory.\n"
    size = 12 << 20
    with path.open("w") as file:
        for number in range(size // 128):
            file.write(f"{number:7} {line}".rjust(127, "-") + ("\n" if number % 20 == 0 else ""))
    monkeypatch.setattr("picosweep.pico.data.preparation.corpus._KEPT_CHARACTERS", 1 << 18)
    monkeypatch.setattr("picosweep.pico.data.sources.text_files._CHUNK_CHARACTERS", 1 << 16)
    monkeypatch.setattr("picosweep.pico.data.preparation.token_file._BATCH_CHARACTERS", 1 << 16)
    config = DataConfig(source=str(path), tokenizer=CHARACTERS)
    tracemalloc.start()
    try:
        data = prepare(config, tmp_path / "cache")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data.meta.num_characters > size * 0.9
    assert peak < size / 4


def test_preparing_needs_no_torch():
    """The driver prepares data while workers still import torch; it need not wait for it."""
    code = "import sys, picosweep.pico.data.preparation.prepare; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
