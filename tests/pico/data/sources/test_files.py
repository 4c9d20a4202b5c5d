"""Files as people have them: other suffixes, encodings, links, splits, nested and damaged rows."""

import bz2
import errno
import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.data.prepared import Meta
from picosweep.pico.data.sources.formats import RECORD_SUFFIXES, TABLE_SUFFIXES, TEXT_SUFFIXES
from picosweep.pico.data.sources.registry import open_source
from picosweep.pico.data.sources.source import Source
from picosweep.pico.errors import FieldError
from picosweep.pico.field_checks import meanings_of

TEXTS = [f"text {index} of owls" for index in range(40)]
ROWS = [{"text": text, "size": len(text)} for text in TEXTS]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)


def source_of(path: Path, **fields: Any) -> Source:
    return open_source(str(path), DataConfig(**fields), path.parent)


def texts_of(path: Path, **fields: Any) -> list[str]:
    return list(source_of(path, **fields).documents())


def left_out(source: Source) -> dict[str, dict[str, int]]:
    assert source.files is not None
    return {one.reason: dict(one.files) for one in source.files().left_out}


def csv_of(delimiter: str) -> str:
    return "\n".join([f"text{delimiter}size"] + [f'"{r["text"]}"{delimiter}3' for r in ROWS])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", JSONL.encode()),
        ("a.JSONL", JSONL.encode()),
        ("a.json", json.dumps(ROWS, indent=1).encode()),
        ("lines.json", JSONL.encode()),
        ("a.csv", csv_of(",").encode()),
        ("a.tsv", csv_of("\t").encode()),
        ("a.jsonl.gz", gzip.compress(JSONL.encode())),
        ("a.JSON.GZ", gzip.compress(json.dumps(ROWS).encode())),
        ("a.csv.bz2", bz2.compress(csv_of(",").encode())),
        ("a.ndjson.xz", lzma.compress(JSONL.encode())),
        ("bom.jsonl", b"\xef\xbb\xbf" + JSONL.encode()),
    ],
)
def test_a_file_is_read_as_what_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    """Rows give their texts, whatever the spelling of the suffix and the compression."""
    (tmp_path / name).write_bytes(content)
    assert texts_of(tmp_path / name) == TEXTS


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_text_is_text(tmp_path: Path, compress: Any) -> None:
    """A compressed text gives the documents of the plain one."""
    plain = tmp_path / "a.txt"
    plain.write_text("\n".join(TEXTS))
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[compress]
    packed = tmp_path / f"a.txt.{suffix}"
    packed.write_bytes(compress(plain.read_bytes()))
    assert "".join(texts_of(packed)) == plain.read_text()


ARRAYS = {
    "plain": pa.array(TEXTS),
    "large": pa.array(TEXTS, pa.large_string()),
    "view": pa.array(TEXTS, pa.string_view()),
    "category": pa.array(TEXTS).dictionary_encode(),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_text_of_every_arrow_type_is_read(tmp_path: Path, kind: str) -> None:
    """Categories and views hold the same text as plain columns, in Parquet and in Arrow files."""
    table = pa.table({"text": ARRAYS[kind]})
    pq.write_table(table, tmp_path / "a.PARQUET")
    assert texts_of(tmp_path / "a.PARQUET") == TEXTS
    for name, new in (("stream", pa.ipc.new_stream), ("file", pa.ipc.new_file)):
        with pa.OSFile(str(tmp_path / f"{name}.arrow"), "wb") as file, new(file, table.schema) as w:
            w.write_table(table)
        assert texts_of(tmp_path / f"{name}.arrow") == TEXTS


def test_a_bad_byte_in_a_column_is_named(tmp_path: Path) -> None:
    """The row is named; a damaged page and a stream that was cut are called damaged."""
    words = [text.encode() for text in TEXTS]
    words[30] = b"caf\xe9"
    column = pa.array(words, pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column}), tmp_path / "bad.parquet")
    with pytest.raises(FieldError, match=r"not UTF-8 text; found byte 0xe9 in row 30 of"):
        texts_of(tmp_path / "bad.parquet")
    with pa.OSFile(str(tmp_path / "cut.arrow"), "wb") as file:
        table = pa.table({"text": TEXTS * 100})
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    content = (tmp_path / "cut.arrow").read_bytes()
    (tmp_path / "cut.arrow").write_bytes(content[: len(content) // 2])
    with pytest.raises(FieldError, match="a damaged one; found"):
        texts_of(tmp_path / "cut.arrow")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"PK\x03\x04", "an archive or compressed in a way that is not read"),
        ("a.tar.gz", b"\x1f\x8b", "an archive or compressed in a way that is not read"),
        ("a.txt", gzip.compress(b"x" * 99), r"compressed, and its name does not say so.*\.gz"),
        ("a.txt", b"\xff\xfeo\x00w\x00l\x00", "not UTF-8 text.*such as utf-16"),
        ("a.txt", "grün".encode("latin-1"), "not UTF-8 text.*such as latin-1"),
        ("a.txt", b"o\x00w\x00l\x00", "a NUL character"),
        ("a.txt.gz", gzip.compress(b"owl" * 999)[:30], "damaged; found"),
        ("a.txt.gz", gzip.compress(b"gr\xfcn"), "not UTF-8 text.*such as latin-1"),
        ("a.txt.gz", b"no gzip at all", "damaged; found"),
        ("a.json", b'{"text": "one",\n "size": 1}', "neither a JSON array of objects nor"),
        ("a.json", b'[{"text": "one"}, ', "not JSON; found"),
        ("a.json", b'["one"]', "not a JSON object; found str on entry 0"),
        ("a.jsonl", b'{"text": ' + b"[" * 99_999, "nested too deep on .* line 1"),
        ("a.jsonl", b'{"n": ' + b"1" * 9_999 + b"}", "4300 digits.* line 1"),
        ("a.csv", b"name;text\na;b\n", "no field 'text' .* fields 'name;text' on the first"),
        ("a.csv", b"text,size\nowl\n", "1 fields on .* line 2"),
    ],
)
def test_what_cannot_be_read_is_one_message(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """It says what the file is, and where it is wrong."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FieldError, match=message):
        texts_of(tmp_path / name)


def test_the_encoding_is_a_setting(tmp_path: Path) -> None:
    """Another encoding is read where it is named; what is no encoding is refused."""
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "a.txt").write_text("grün", encoding=encoding)
        assert texts_of(tmp_path / "a.txt", encoding=encoding) == ["grün"]
    for wrong in ("latin-99", "rot13", "base64", "", "\0"):
        with pytest.raises(FieldError, match="unknown encoding"):
            DataConfig(encoding=wrong)


def test_a_folder_says_what_it_left_out(tmp_path: Path) -> None:
    """Hidden, empty, unknown and unreadable files and tables beside others are counted."""
    for name in ("a.py", "b.PY", "c.cpp", "d.ipynb", ".hidden", "t.csv", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "old.py").write_bytes(b"gr\xfcn")
    with pytest.raises(FieldError, match=r"old\.py; allowed: .*data\.skip_unreadable: true"):
        texts_of(tmp_path)
    source = source_of(tmp_path, skip_unreadable=True)
    assert len(list(source.documents())) == 2
    assert left_out(source) == {
        "hidden": {".git": 1, ".hidden": 1},
        "empty": {".txt": 1},
        "a suffix that is not read unless data.include names it": {".cpp": 1, ".ipynb": 1},
        "a table beside other files, not named in data.include": {".csv": 1},
        "not UTF-8 text": {".py": 1},
    }
    chosen = source_of(tmp_path, include=("*.cpp", "[ab].py"))
    assert len(list(chosen.documents())) == 2
    with pytest.raises(FieldError, match=r"data\.include: fits no file.*\*\.rs"):
        source_of(tmp_path, include=("*.rs",))


def test_linked_folders_count_like_real_ones(tmp_path: Path) -> None:
    """Links are followed, loops of links are cut, a link to nothing is named."""
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    (data / "a.txt").write_text("first")
    (other / "b.txt").write_text("second")
    (data / "more").symlink_to(other)
    (data / "loop").symlink_to(data)
    (other / "back").symlink_to(data)
    (data / "gone.txt").symlink_to(tmp_path / "nothing")
    source = source_of(data)
    assert list(source.documents()) == ["first", "second"]
    assert left_out(source) == {
        "a link to nothing": {".txt": 1},
        "a link to a folder around it": {"loop": 1, "back": 1},
    }


def test_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission ends it, or is left out."""
    (tmp_path / "a.txt").write_text("owl")
    closed = tmp_path / "closed"
    closed.mkdir()
    scan = os.scandir

    def refuse(path: str) -> Any:  # root would read it whatever its mode
        if str(path) == str(closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(FieldError, match=r"closed: Permission denied.*data\.skip_unreadable"):
        source_of(tmp_path)
    assert left_out(source_of(tmp_path, skip_unreadable=True)) == {"cannot be read": {"closed": 1}}


LAYOUTS = [
    ("train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "test-00000-of-00001.jsonl"),
    ("data/train.jsonl", "data/train-1.jsonl", "data/validation.jsonl"),
    ("train/a.jsonl", "train/b.jsonl", "dev/c.jsonl"),
    ("train/train-0.jsonl", "train/train-1.jsonl", "test/test-0.jsonl"),
    ("wiki.train.tokens", "wiki.train-1.tokens", "wiki.valid.tokens"),
    ("en_train.txt.gz", "en_train_2.txt.gz", "en_eval.txt.gz"),
]


@pytest.mark.parametrize("names", LAYOUTS)
def test_files_named_as_splits_are_what_they_are_called(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    """What is called validation, or else test, validates; nothing of it is trained on."""
    write_parts(tmp_path, names)
    source = source_of(tmp_path)
    assert source.validation is not None
    assert {text[0] for text in source.documents()} == {"0", "1"}
    assert {text[0] for text in source.validation()} == {"2"}
    joined = source_of(tmp_path, named_splits=False)
    assert joined.validation is None
    assert {text[0] for text in joined.documents()} == {"0", "1", "2"}


def test_limits_hold_for_a_named_split_too(tmp_path: Path) -> None:
    """The most documents of a source are the most of its own validation part, too."""
    write_parts(tmp_path, ("train.jsonl", "train-1.jsonl", "test.jsonl"))
    tokenizer = TokenizerConfig(kind="char")
    config = DataConfig(source=str(tmp_path), tokenizer=tokenizer, block_size=4, max_documents=7)
    meta = prepare(config, tmp_path.with_name("cache")).meta
    assert (meta.num_documents, meta.num_validation_documents) == (14, 7)


def test_the_documents_name_every_suffix() -> None:
    """What is said of `include` is what is read."""
    said = meanings_of(DataConfig)["include"]
    for suffix in (TEXT_SUFFIXES | RECORD_SUFFIXES | TABLE_SUFFIXES) - {""}:
        assert f"`{suffix}`" in said


def write_parts(folder: Path, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        lines = [f"{index} owl {number}" for number in range(20)]
        if ".jsonl" in name:
            lines = [json.dumps({"text": line}) for line in lines]
        content = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


@pytest.mark.parametrize(
    "names",
    [
        ("train.py", "test.py", "model.py"),
        ("parser.txt", "test_parser.txt", "train_station.txt"),
        ("test.jsonl", "validation.jsonl", "other.jsonl"),
        ("a/train.txt", "b/test.txt", "c/x.txt"),
    ],
)
def test_other_names_are_no_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Code, and files without a training part of the same name, are read as before."""
    write_parts(tmp_path, names)
    assert source_of(tmp_path).validation is None


def test_a_named_split_validates(tmp_path: Path) -> None:
    """Prepared: whole splits; a text on both sides is not trained on; a mixture keeps its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    parts = {"train": TEXTS, "validation": [*TEXTS[:5], "new"], "test": ["secret"]}
    for split, texts in parts.items():
        pq.write_table(pa.table({"text": texts}), folder / f"{split}-00000-of-00001.parquet")
    tokenizer = TokenizerConfig(kind="char")
    config = DataConfig(source=str(folder), tokenizer=tokenizer, block_size=4)
    meta = prepare(config, tmp_path / "cache").meta
    assert meta.num_documents == len(TEXTS) - 5 + 6
    assert meta.num_validation_documents == 6
    (files,) = meta.files.values()
    assert (files.training, files.validation) == ({".parquet": 1}, {".parquet": 1})
    assert files.left_out[0].reason == "named as the split 'test'"
    assert Meta.from_json(meta.to_json()) == meta
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({"text": f"{t} more"}) + "\n" for t in TEXTS) + JSONL)
    mixed = DataConfig(source={str(folder): 1, str(other): 1}, tokenizer=tokenizer, block_size=4)
    data = prepare(mixed, tmp_path / "cache")
    first, second = data.meta.validation_parts
    assert first.num_documents == 6
    assert 0 < second.num_documents < 20


NESTED: list[tuple[Any, str, str]] = [
    ({"choices": [{"turns": ["a", "b"]}]}, "choices.0.turns", "a\nb"),
    ({"choices": [{"turns": ["a", "b"]}, {"turns": ["c"]}]}, "choices.*.turns", "a\nb\nc"),
    ({"meta": {"title": "a"}}, "meta.title", "a"),
    ({"meta.title": "a", "meta": {"title": "b"}}, "meta.title", "a"),
    ({"meta": None}, "meta.title", ""),
    ({"messages": [{"role": "user", "content": "a"}]}, "messages", "user: a\n"),
    ({"talk": [{"from": "gpt", "value": "a"}]}, "talk", "gpt: a\n"),
    ({"m": [{"role": "u", "content": [{"type": "text", "text": "a"}]}]}, "m", "u: a\n"),
    ({"m": "cut \ud83d here"}, "m", "cut ? here"),
]


@pytest.mark.parametrize(("row", "path", "text"), NESTED)
def test_a_path_leads_to_the_text(tmp_path: Path, row: Any, path: str, text: str) -> None:
    """Into objects and lists, to conversations; in JSON and in Parquet alike."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(row) + "\n")
    assert texts_of(file, text_field=path) == [text]
    if "cut" not in text and row != {"meta": None}:
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
        assert texts_of(tmp_path / "a.parquet", text_field=path) == [text]


def test_a_wrong_path_names_those_with_text(tmp_path: Path) -> None:
    """What the record holds is told, and lists of words are not joined unasked."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": 1, "meta": {"title": "a"}, "turns": ["b"], "text": ["c"]}))
    told = "the path of a text, such as meta.title, turns, text"
    for path in ("body", "meta.name", "turns.5", "id.x"):
        with pytest.raises(FieldError, match=f"no field .* on .*line 1; allowed: {told}"):
            texts_of(file, text_field=path)
    for path in ("id", "meta", "text"):
        with pytest.raises(FieldError, match=f"is not text; found .*; allowed: {told}"):
            texts_of(file, text_field=path)
    assert texts_of(file, text_field="text.*") == ["c"]


def test_a_message_has_a_template(tmp_path: Path) -> None:
    """What is written for each message is a setting; a template without content is refused."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"m": [{"role": "user", "content": "{a}"}] * 2}))
    written = texts_of(file, text_field="m", message_template="<{role}>{content}{{}}")
    assert written == ["<user>{a}{}" * 2]
    for wrong in ("{role}", "{content.__class__}", "{content!r}", "{", "{0}", ""):
        with pytest.raises(FieldError, match="not a template"):
            DataConfig(message_template=wrong)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(row=st.dictionaries(st.text(max_size=5), json_values, max_size=3), path=st.text(max_size=7))
def test_any_record_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, row: Any, path: str
) -> None:
    """Whatever a record holds and whatever path is asked for: a text or the one error."""
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_text(json.dumps(row) + "\n")
    try:
        (text,) = texts_of(file, text_field=path)
    except FieldError:
        return
    text.encode()
