import importlib.util
import json
import socket
import sys
from types import SimpleNamespace

import pytest

from picosweep.pico.data.config import HUB_MAX_BYTES, DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.data.sources.hub import HubName, hub_source
from picosweep.pico.data.sources.hub_access import why_unreachable
from picosweep.pico.errors import FieldError


@pytest.fixture
def hub(monkeypatch):
    """A hub of one's own: `hub.rows` is what streaming gives, `hub.asked` what was asked for."""
    state = SimpleNamespace(rows=[], asked=[], num_read=0)

    def load_dataset(dataset, configuration, *, split, streaming):
        state.asked.append((dataset, configuration, split))
        assert streaming
        if isinstance(state.rows, Exception):
            raise state.rows

        def rows():
            for row in state.rows:
                state.num_read += 1
                if isinstance(row, Exception):
                    raise row
                yield row

        return rows()

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    monkeypatch.setattr("picosweep.pico.data.sources.hub.why_unreachable", lambda: None)
    return state


def read(name, folder, **fields):
    return list(hub_source(name, DataConfig(**fields), folder).documents())


@pytest.mark.parametrize(
    ("name", "dataset", "configuration", "split"),
    [
        ("hf:roneneldan/TinyStories", "roneneldan/TinyStories", None, "train"),
        ("hf:allenai/c4:en", "allenai/c4", "en", "train"),
        ("hf:allenai/c4:en:validation", "allenai/c4", "en", "validation"),
        ("hf:some/set::test", "some/set", None, "test"),
        ("hf:wikitext", "Salesforce/wikitext", "wikitext-2-raw-v1", "train"),
        ("hf:wikitext:wikitext-103-raw-v1", "Salesforce/wikitext", "wikitext-103-raw-v1", "train"),
    ],
)
def test_names_are_read(name, dataset, configuration, split):
    """A name says the data set, its variant and its split; wikitext is known without its owner."""
    expected = HubName(dataset=dataset, configuration=configuration, split=split)
    assert HubName.parse(name) == expected


def test_a_slice_is_read_once(hub, tmp_path):
    """Streaming stops at the limit, and later readings need no network."""
    hub.rows = [{"text": f"story\u2028{index}", "id": index} for index in range(100)]
    expected = [row["text"] for row in hub.rows[:7]]
    assert read("hf:a/b:c", tmp_path, max_documents=7) == expected
    assert hub.num_read == 7
    assert hub.asked == [("a/b", "c", "train")]
    hub.rows = ConnectionError("no network")
    assert read("hf:a/b:c", tmp_path, max_documents=7) == expected
    assert len(hub.asked) == 1


@pytest.mark.parametrize(("max_bytes", "num_documents"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_a_slice_ends_at_its_bytes(hub, tmp_path, max_bytes, num_documents):
    """The document with which the limit is reached is the last; bytes are those of UTF-8."""
    hub.rows = [{"text": "éé"}] * 10
    assert read("hf:a/b", tmp_path, max_bytes=max_bytes) == ["éé"] * num_documents


def test_without_limits_a_slice_is_still_finite(tmp_path):
    """A data set of any size is cut off where the default says."""
    source = hub_source("hf:a/b", DataConfig(), tmp_path)
    assert HUB_MAX_BYTES in source.signature


def test_lines_of_wikitext_become_articles(hub, tmp_path):
    """Rows that are lines are joined up to the next title; empty lines stay where they were."""
    lines = ["", " = One = \n", "", " Text . \n", " = = Part = = \n", " = Two = \n", " More . \n"]
    hub.rows = [{"text": line} for line in lines]
    assert read("hf:wikitext", tmp_path) == [
        " = One = \n\n Text . \n = = Part = = \n",
        " = Two = \n More . \n",
    ]


def test_any_text_column_is_read(hub, tmp_path):
    """The column's name is a setting; an empty text is no document."""
    hub.rows = [{"story": "a"}, {"story": None}, {"story": "b"}]
    assert read("hf:a/b", tmp_path, text_field="story") == ["a", "b"]


def test_a_slice_can_be_trained_on(hub, tmp_path):
    """Hub text goes through the split and the tokenizer like any other."""
    hub.rows = [{"text": f"document number {index} of the hub"} for index in range(40)]
    config = DataConfig(source="hf:a/b", tokenizer=TokenizerConfig(kind="char"), block_size=8)
    data = prepare(config, tmp_path)
    assert data.meta.num_documents == 40
    assert (tmp_path / "downloads").is_dir()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"body": "a", "id": 1}], r"data\.text_field: no field 'text'; found fields 'body', 'id'"),
        ([{"text": 3}], r"'text' is not text; found int in a/b"),
        (ValueError('Unknown split "x"\nmore'), r"cannot be read .* found ValueError: Unknown"),
        (
            [{"text": "a"}, ConnectionError("reset")],
            r"found ConnectionError: reset; allowed: a net",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_message(hub, tmp_path, rows, message):
    """Errors of the library become one line, and no half of a slice is kept."""
    hub.rows = rows
    with pytest.raises(FieldError, match=message) as caught:
        read("hf:a/b", tmp_path)
    assert "\n" not in str(caught.value)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_without_a_network_the_answer_is_quick(hub, tmp_path, monkeypatch):
    """No name service, or a wish to stay offline, is said before anything is tried."""

    def no_network(*_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("picosweep.pico.data.sources.hub.why_unreachable", why_unreachable)
    monkeypatch.setattr("picosweep.pico.data.sources.hub_access.getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(FieldError, match=r"found no network: huggingface\.co: Name or service"):
        read("hf:a/b", tmp_path)
    monkeypatch.setattr(
        "picosweep.pico.data.sources.hub_access.getproxies", lambda: {"https": "proxy"}
    )
    assert why_unreachable() is None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FieldError, match="HF_HUB_OFFLINE is set"):
        read("hf:a/b", tmp_path)
    assert hub.asked == []


def test_without_the_package_the_answer_says_how_to_get_it(tmp_path, monkeypatch):
    """`datasets` is an optional extra."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(FieldError, match=r"need the package 'datasets'.*picosweep\[hub\]"):
        read("hf:a/b", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("datasets"), reason="needs the extra 'hub'")
def test_the_library_itself_streams(tmp_path, monkeypatch):
    """The real `datasets` streams a folder of JSONL files under our call."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [{"text": f"row {index}"} for index in range(20)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr("picosweep.pico.data.sources.hub.why_unreachable", lambda: None)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    texts = read(f"hf:{folder}", tmp_path / "downloads", max_documents=5)
    assert texts == [row["text"] for row in rows[:5]]
