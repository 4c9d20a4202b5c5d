"""A first spec: it fits the data, the program takes it, and it is never written over another."""

import json
import os
from pathlib import Path

import pytest
import yaml

from picosweep.start.first_spec import FirstSpec, init
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import check_sweep
from tests.small_sweep import picosweep, small_text


def first(folder: Path, source: str, **options: object) -> tuple[FirstSpec, dict]:
    """A first spec and its content, held to the program's own checks, data and all."""
    found = init(source, output=folder / "first.yaml", **options)
    checked = check_sweep(found.path)
    metas = prepare_all(checked, folder / "results").metas
    assert all(one.num_feasible for one in checked.with_data(metas).feasibility.values())
    return found, yaml.safe_load(found.path.read_text(encoding="utf-8"))


def records(number: int) -> str:
    """Lines of JSON with their text under a key of its own."""
    return "".join(json.dumps({"body": f"Record {n} says {n * n}."}) + "\n" for n in range(number))


def test_small_texts_are_read_by_characters_and_larger_ones_by_pieces(tmp_path: Path) -> None:
    """With as many tokens as it says, and a prompt that documents begin with."""
    (tmp_path / "small.txt").write_text(small_text(40), encoding="utf-8")
    found, spec = first(tmp_path, str(tmp_path / "small.txt"))
    assert spec["data"]["tokenizer"] == {"kind": "char"}
    assert found.tokens == found.look.characters
    assert found.look.documents > 1
    assert spec["samples"]["prompts"][0] in small_text(40)
    (tmp_path / "large.txt").write_text(small_text(900), encoding="utf-8")
    found, spec = first(tmp_path, str(tmp_path / "large.txt"), overwrite=True)
    assert spec["data"]["tokenizer"] == {"kind": "bpe", "vocab_size": 1024}
    prepared = prepare_all(check_sweep(found.path), tmp_path / "results").own
    true = len(prepared.train) + len(prepared.validation)
    assert found.tokens == pytest.approx(true, rel=0.15)


def test_numbers_are_numbers(tmp_path: Path) -> None:
    """One sequence a row, as long as the longest."""
    rows = "\n".join(" ".join(str(n + k) for k in range(5 + n % 3)) for n in range(200))
    (tmp_path / "rows.txt").write_text(rows, encoding="utf-8")
    for source, longest in (("numbers:counting", 32), (str(tmp_path / "rows.txt"), 7)):
        _, spec = first(tmp_path, source, overwrite=True)
        assert spec["data"]["tokenizer"] == {"kind": "int"}
        assert (spec["data"]["mode"], spec["data"]["block_size"]) == ("padded", longest)


def test_a_list_has_a_document_a_line(tmp_path: Path) -> None:
    """Names, as they are mostly kept; a text with short lines is no list."""
    names = [f"{a}{b}{c}" for a in ("an", "bo", "ce") for b in "aeiou" for c in ("n", "la", "ris")]
    (tmp_path / "names.txt").write_text("\n".join(names * 20), encoding="utf-8")
    found, spec = first(tmp_path, str(tmp_path / "names.txt"))
    assert found.look.documents == len(names) * 20
    assert spec["data"]["tokenizer"] == {"kind": "char"}
    assert (spec["data"]["mode"], spec["data"]["document_unit"]) == ("padded", "line")
    assert spec["data"]["block_size"] == max(map(len, names)) + 1
    assert len(spec["samples"]["prompts"][0]) == 1
    poem = "\n".join(f"Rose {n} is red,\nviolet {n} is blue.\n\nSugar" for n in range(80))
    (tmp_path / "poem.txt").write_text(poem, encoding="utf-8")
    _, spec = first(tmp_path, str(tmp_path / "poem.txt"), overwrite=True)
    assert "mode" not in spec["data"]


def test_folders_records_and_names_of_many_kinds(tmp_path: Path) -> None:
    """What was left out is said; a field of another name is asked for, and kept in the spec."""
    folder = tmp_path / "my texts: 1"
    folder.mkdir()
    (folder / "train.txt").write_text(small_text(60), encoding="utf-8")
    (folder / "validation.txt").write_text(small_text(20)[::-1], encoding="utf-8")
    (folder / "photo.png").write_bytes(b"\x89PNG\x00")
    found, spec = first(tmp_path, str(folder))
    assert spec["data"]["source"] == str(folder)
    assert spec["name"] == "my-texts-1"
    assert "left out: 1 .png" in " ".join(found.remarks())
    assert "by its files' names" in found.path.read_text(encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(records(300), encoding="utf-8")
    with pytest.raises(InputError, match="body"):
        init(str(tmp_path / "rows.jsonl"), output=tmp_path / "other.yaml")
    _, spec = first(tmp_path, str(tmp_path / "rows.jsonl"), text_field="body", overwrite=True)
    assert spec["data"]["text_field"] == "body"


def test_the_budget_is_that_of_the_minutes(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(small_text(60), encoding="utf-8")
    ten, spec = first(tmp_path, str(tmp_path / "text.txt"))
    one, _ = first(tmp_path, str(tmp_path / "text.txt"), minutes=1, overwrite=True)
    assert ten.total == pytest.approx(10 * one.total, rel=0.05)
    assert ten.longest == spec["budget"]["min"] * 9
    assert any("by heart" in remark for remark in ten.remarks())


def test_one_message_where_nothing_can_be_written_or_read(tmp_path: Path) -> None:
    """A missing file, an empty folder, no text, a spec that is there, a folder without rights."""
    (tmp_path / "text.txt").write_text(small_text(60), encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text(" \n \n", encoding="utf-8")
    (tmp_path / "noise.txt").write_bytes(os.urandom(2000) + b"\xff\xfe\x00")
    for source, said in [
        ("nothere.txt", "no such file"),
        ("empty", "empty"),
        ("blank.txt", "holds no text"),
        ("noise.txt", "not UTF-8"),
        ("stdlob", "did you mean stdlib"),
    ]:
        answer = picosweep("init", source, "-o", "new.yaml", cwd=tmp_path, expect=2)
        assert said in answer, source
        assert not (tmp_path / "new.yaml").exists()
    said = picosweep("init", "text.txt", cwd=tmp_path)
    assert "wrote text.yaml" in said
    before = (tmp_path / "text.yaml").read_text(encoding="utf-8")
    (tmp_path / "text.yaml").write_text("mine", encoding="utf-8")
    assert "is there already" in picosweep("init", "text.txt", cwd=tmp_path, expect=2)
    assert (tmp_path / "text.yaml").read_text(encoding="utf-8") == "mine"
    picosweep("init", "text.txt", "--overwrite", cwd=tmp_path)
    assert (tmp_path / "text.yaml").read_text(encoding="utf-8") == before
    refused = picosweep("init", "text.txt", "-o", "text.txt/new.yaml", cwd=tmp_path, expect=2)
    assert "cannot be written" in refused


def test_the_shipped_spec_goes_by_its_name(tmp_path: Path) -> None:
    """From any folder; a file of that name comes first; another name is no shipped one."""
    assert "kgram" in picosweep("run", "demo", "--dry-run", cwd=tmp_path)
    (tmp_path / "demo").write_text("name: [", encoding="utf-8")
    assert "error" in picosweep("run", "demo", "--dry-run", cwd=tmp_path, expect=2)
    missing = picosweep("run", "dmeo", cwd=tmp_path, expect=2)
    assert "shipped: demo" in missing
