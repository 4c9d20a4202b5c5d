import ast
import json
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from picosweep.pico.data.config import DataConfig, NumbersConfig
from picosweep.pico.data.sources.installed import (
    language_manual,
    library_functions,
    standard_library,
)
from picosweep.pico.data.sources.number_sequences import FAMILIES
from picosweep.pico.data.sources.registry import open_source
from picosweep.pico.errors import FieldError


def documents(path, **fields):
    """The documents of a path, without the empty ones, and the same a second time."""
    source = open_source(str(path), DataConfig(**fields), path.parent)
    first, second = ([text for text in source.documents() if text.strip()] for _ in range(2))
    assert first == second
    return first


def test_the_standard_library_is_there_without_its_tests():
    """Hundreds of files of code, none of them a test, a table of a codec or the manual's text."""
    source = standard_library()
    names = [name for name, _, _ in source.signature[2]]
    assert len(names) > 300
    assert "json/decoder.py" in names
    left_out = ("/test", "pydoc_data", "encodings/")
    assert not any(part in name for name in names for part in left_out)
    assert "def " in next(source.documents())


def test_functions_of_the_standard_library_stand_for_themselves():
    """Methods without their class's indentation, decorators with them, the last files first."""
    source = library_functions()
    texts = list(source.documents())
    assert len(texts) > 3000
    for text in texts[::7]:
        (only,) = ast.parse(text).body
        assert isinstance(only, ast.FunctionDef | ast.AsyncFunctionDef)
    assert any(text.startswith("@") for text in texts)
    names = [name for name, _, _ in standard_library().signature[2]]
    last = (Path(sysconfig.get_paths()["stdlib"]) / names[-1]).read_text(encoding="utf-8")
    assert texts[0].splitlines()[0] in last


def test_the_manual_is_english():
    """The language manual has a topic a document."""
    texts = list(language_manual().documents())
    assert len(texts) > 50
    assert any("statement" in text for text in texts)


def test_stories_are_told_apart_by_their_marks(tmp_path, monkeypatch):
    """`<|endoftext|>` separates documents, also where reading stops in the middle of a mark."""
    path = tmp_path / "stories.txt"
    stories = [f"Story {index}.\nThe end.\n" for index in range(30)]
    path.write_text("<|endoftext|>\n".join(stories))
    expected = [story.strip() for story in stories]
    for size in (1, 7, 10_000):
        monkeypatch.setattr(
            "picosweep.pico.data.sources.text_files._CHUNK_CHARACTERS", max(size, 40)
        )
        assert [text.strip() for text in documents(path)] == expected


def test_articles_are_told_apart_by_their_headings(tmp_path):
    """A ` = Title = ` begins an article; ` = = Section = = ` does not."""
    path = tmp_path / "wiki.txt"
    article = " \n = {} = \n \n Text .\n = = Section = = \n More = text = here .\n"
    path.write_text("".join(article.format(name) for name in ("One", "Two", "The Three")))
    titles = [text.split("\n")[0].strip() for text in documents(path)]
    assert titles == ["= One =", "= Two =", "= The Three ="]


@given(
    paragraphs=st.lists(st.text("ab \n", min_size=1, max_size=900), min_size=1, max_size=20),
)
def test_long_texts_are_cut_and_nothing_is_lost(tmp_path_factory, paragraphs):
    """Sections of a text without marks are within their bounds, and joined they are the text."""
    path = tmp_path_factory.mktemp("long") / "book.txt"
    text = "\n\n".join(paragraphs)
    path.write_text(text + "end")
    sections = list(open_source(str(path), DataConfig(), path).documents())
    assert "".join(sections) == text + "end"
    assert all(1024 <= len(section) <= 2048 for section in sections[:-1])


def test_sections_end_where_paragraphs_do(tmp_path):
    """An empty line near the place is the place to cut."""
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(["A sentence of a paragraph. " * 20] * 20))
    assert all(section.endswith("\n\n") for section in documents(path)[:-1])


def test_windows_files_read_like_others(tmp_path):
    """A byte-order mark is dropped and line ends become newlines."""
    path = tmp_path / "dos.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert documents(path) == ["one\ntwo\n"]


def test_padded_mode_and_line_units_read_lines(tmp_path):
    """A list of names is a document a line when rows are documents, or when asked for."""
    path = tmp_path / "names.txt"
    path.write_text("emma\nolivia\n\nava")
    assert documents(path, mode="padded") == ["emma", "olivia", "ava"]
    assert documents(path, document_unit="line") == ["emma", "olivia", "ava"]
    assert documents(path, document_unit="file", mode="padded") == ["emma\nolivia\n\nava"]


def test_a_folder_is_read_in_order_of_names(tmp_path):
    """All kinds of files in all subfolders; hidden, empty and foreign ones are passed over."""
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("first")
    (tmp_path / "c.jsonl").write_text('{"text": "third"}\n')
    (tmp_path / "sub" / "d.txt").write_text("fourth")
    (tmp_path / "e.png").write_bytes(b"\x89PNG")
    (tmp_path / "f.txt").write_text("")
    (tmp_path / ".hidden" / "g.txt").write_text("no")
    assert documents(tmp_path) == ["first", "second", "third", "fourth"]


def test_a_folder_of_many_files_keeps_them_whole(tmp_path):
    """Where there are enough files to split between, none is cut."""
    for index in range(64):
        (tmp_path / f"{index}.txt").write_text("A word. " * 1000)
    assert len(documents(tmp_path)) == 64
    (tmp_path / "0.txt").unlink()
    assert len(documents(tmp_path)) >= 2 * 63


def test_records_are_read_from_any_column(tmp_path):
    """JSONL, Parquet and an Arrow file give the text column asked for; null is no document."""
    rows = [{"story": "one", "id": 1}, {"story": None, "id": 2}, {"story": "thrée", "id": 3}]
    jsonl = tmp_path / "rows.jsonl"
    jsonl.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    parquet = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    for path in (jsonl, parquet):
        assert documents(path, text_field="story") == ["one", "thrée"]


def write_saved_dataset(folder, texts):
    """What `save_to_disk` writes of a data set with two shards."""
    folder.mkdir(parents=True)
    names = []
    for index, part in enumerate(np.array_split(texts, 2)):
        names.append({"filename": f"data-{index:05}-of-00002.arrow"})
        table = pa.table({"text": pa.array(part.tolist(), type=pa.large_string())})
        with pa.ipc.new_stream(str(folder / names[-1]["filename"]), table.schema) as stream:
            stream.write_table(table, max_chunksize=3)
    (folder / "state.json").write_text(json.dumps({"_data_files": names}))


def test_saved_datasets_are_read(tmp_path):
    """A `save_to_disk` folder is read by itself, and inside one that holds several splits."""
    texts = [f"text {index}" for index in range(11)]
    write_saved_dataset(tmp_path / "saved" / "train", texts)
    write_saved_dataset(tmp_path / "saved" / "test", ["other"])
    splits = tmp_path / "saved" / "dataset_dict.json"
    splits.write_text('{"splits": ["test", "train"]}')
    assert documents(tmp_path / "saved") == texts
    assert documents(tmp_path / "saved" / "train") == texts
    splits.write_text('{"splits": ["test", "dev"]}')
    with pytest.raises(FieldError, match="none called 'train'; found test, dev"):
        documents(tmp_path / "saved")


def test_saved_datasets_are_those_of_the_library(tmp_path):
    """What the `datasets` library itself saves is read without it."""
    datasets = pytest.importorskip("datasets")
    texts = [f"text {index}" for index in range(10)]
    rows = datasets.Dataset.from_dict({"text": texts}).filter(lambda row: row["text"] != "text 3")
    datasets.DatasetDict(train=rows).save_to_disk(tmp_path / "saved")
    assert documents(tmp_path / "saved") == texts[:3] + texts[4:]


BAD_FILES = {
    "missing.txt": (None, r"no such file or folder.*missing\.txt"),
    "empty.txt": (b"", r"empty; found .*empty\.txt"),
    "latin.txt": ("é".encode("latin-1"), r"not UTF-8 text; found byte 0xe9 in .*latin\.txt"),
    "latin.jsonl": (b'{"text": "\xe9"}', r"not UTF-8 text; found byte 0xe9 in .*latin\.jsonl"),
    "field.jsonl": (
        b'{"text": "a"}\n{"txet": "b", "id": 1}\n',
        r"data\.text_field: no field 'text' \(did you mean 'txet'\?\); found fields 'txet', 'id' "
        r"on .*field\.jsonl line 2",
    ),
    "number.jsonl": (b'{"text": 5}', r"'text' is not text; found int on .*number\.jsonl line 1"),
    "broken.jsonl": (b'{"text": "a"}\n{"text', r"not JSON; found .* column 2 of .* line 2"),
    "array.jsonl": (b"[1]", r"not a JSON object; found list on .*line 1"),
    "broken.parquet": (b"PAR1 is not enough", r"not a Parquet file; found .*broken\.parquet"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_with_the_place(tmp_path, name):
    """Each message says which file, where in it, and what was found there."""
    content, message = BAD_FILES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FieldError, match=message):
        documents(tmp_path / name)


def test_parquet_columns_are_checked(tmp_path):
    """A missing column is named with those there are; a column of numbers is not text."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": [1], "body": ["a"]}), path)
    with pytest.raises(FieldError, match=r"no field 'text'; found fields 'id', 'body' in"):
        documents(path)
    with pytest.raises(FieldError, match=r"'id' is not text; found int64"):
        documents(path, text_field="id")


def test_folders_without_text_are_refused(tmp_path):
    """The error says what is in the folder and what would be read."""
    with pytest.raises(FieldError, match=r"no file with text .* with no files; allowed: .*\.jsonl"):
        documents(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(FieldError, match=r"no file with text .* with \.png"):
        documents(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stdlb", r"unknown source \(did you mean 'stdlib'\?\); found 'stdlb'; allowed: stdlib, "),
        ("no/such/file", r"no such file or folder; found 'no/such/file'"),
        ("numbers:cuonting", r"\(did you mean 'counting'\?\); found 'numbers:cuonting'; allowed: "),
        ("hf:", r"not the name of a data set on the hub; found 'hf:'"),
        ("hf:a:b:c:d", r"allowed: hf:<dataset>\[:<configuration>\[:<split>\]\]"),
    ],
)
def test_unknown_sources_are_refused_with_the_nearest_name(tmp_path, name, message):
    """A name that is nearly right gets the right one back."""
    with pytest.raises(FieldError, match=message):
        open_source(name, DataConfig(), tmp_path)


def test_a_wrong_part_of_a_path_is_pointed_at(tmp_path):
    """The hint is about the first part of a path that is not there."""
    (tmp_path / "stories").mkdir()
    with pytest.raises(FieldError, match=r"did you mean '.*/stories'\?"):
        open_source(f"{tmp_path}/storeis/all.txt", DataConfig(), tmp_path)


def sequences(family, **fields):
    """The sequences of a family as lists of numbers."""
    config = DataConfig(numbers=NumbersConfig(num_sequences=200, **fields))
    source = open_source(f"numbers:{family}", config, None)
    texts = list(source.documents())
    assert texts == list(source.documents())
    assert len(texts) == 200
    return [np.array(text.split(), dtype=np.float64) for text in texts]


def is_recall(row):
    """Different keys, and each again once with the value that it came with."""
    told, asked = np.split(row[: len(row) // 4 * 4].reshape(-1, 2), 2)
    return len(set(told[:, 0])) == len(told) and dict(told.tolist()) == dict(asked.tolist())


IS_OF_FAMILY = {
    "counting": lambda row: (np.diff(row) == 1).all(),
    "counting_low": lambda row: (np.diff(row) == 1).all(),
    "counting_high": lambda row: (np.diff(row) == 1).all(),
    "consecutive": lambda row: (np.diff(row) == 1).all(),
    "even": lambda row: (np.diff(row) == 2).all() and row[0] % 2 == 0,
    "powers_of_two": lambda row: (row[1:] == 2 * row[:-1]).all() and np.log2(row[0]) % 1 == 0,
    "arithmetic": lambda row: len(set(np.diff(row))) == 1 and row[1] != row[0],
    "geometric": lambda row: len(set(row[1:] / row[:-1])) == 1 and len(row) >= 3,
    "alternating": lambda row: len(set(row)) == 2 and (row[2:] == row[:-2]).all(),
    "random_walk": lambda row: (np.abs(np.diff(row)) == 1).all(),
    "recall": is_recall,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("length", "max_value"), [(10, 60), (5, 25)])
def test_sequences_follow_their_rule(family, length, max_value):
    """Every sequence of a family obeys its law and its bounds, and they differ."""
    rows = sequences(family, length=length, max_value=max_value)
    assert all(IS_OF_FAMILY[family](row) for row in rows)
    assert len({tuple(row) for row in rows}) > 8
    if family == "recall":
        assert all(len(row) == length // 4 * 4 for row in rows)
    elif family != "geometric":
        assert all(len(row) == length for row in rows)
    if family != "powers_of_two":
        assert all(row.min() >= 0 and row.max() <= max_value for row in rows)


@pytest.mark.parametrize("max_value", [60, 61])
def test_counts_of_the_two_halves_share_no_number(max_value):
    """Below the middle and above it, and every number of a half is counted over."""
    low = np.unique(np.concatenate(sequences("counting_low", length=10, max_value=max_value)))
    high = np.unique(np.concatenate(sequences("counting_high", length=10, max_value=max_value)))
    assert np.concatenate([low, high]).tolist() == list(range(max_value + 1))


def test_the_three_families_take_turns():
    """`numbers:families` is a third each of consecutive, even and powers of two."""
    rows = sequences("families", length=10)
    for index, family in enumerate(("consecutive", "even", "powers_of_two")):
        assert all(IS_OF_FAMILY[family](row) for row in rows[index::3])


def test_sequences_that_do_not_fit_are_refused():
    """The error says how large the numbers must be allowed to be."""
    with pytest.raises(
        FieldError, match=r"data\.numbers\.max_value.*found 20; allowed: at least 62"
    ):
        sequences("even", length=32, max_value=20)
