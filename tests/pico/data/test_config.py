import pickle

import pytest

from picosweep.pico.data.config import DataConfig, NumbersConfig, TokenizerConfig
from picosweep.pico.errors import FieldError

BAD = [
    (DataConfig, {"mode": "paded"}, r"data\.mode: unknown mode \(did you mean 'padded'\?\)"),
    (DataConfig, {"split": "random"}, r"data\.split: .*allowed: hash, tail"),
    (DataConfig, {"document_unit": "word"}, r"data\.document_unit: .*auto, line, file"),
    (
        DataConfig,
        {"block_size": 0},
        r"data\.block_size: too small; found 0; allowed: a whole number of at least 1",
    ),
    (DataConfig, {"max_documents": 1}, r"data\.max_documents: too small"),
    (DataConfig, {"max_bytes": 0}, r"data\.max_bytes: too small"),
    (DataConfig, {"validation_fraction": 1.0}, r"data\.validation_fraction: .*above 0 and below 1"),
    (DataConfig, {"context_tokens": -1}, r"data\.context_tokens: too small"),
    (DataConfig, {"context_tokens": 2}, r"data\.context_tokens: .*2 with mode 'contiguous'"),
    (DataConfig, {"predict_end": False}, r"data\.predict_end: .*false with mode 'contiguous'"),
    (DataConfig, {"source": {}}, r"data\.source: names no source; found \{\}"),
    (DataConfig, {"source": ""}, r"data\.source: names no source; found ''"),
    (DataConfig, {"source": {"stdlib": 0}}, r"data\.source\.stdlib: not a weight; found 0"),
    (DataConfig, {"source": {"stdlib": float("nan")}}, r"data\.source\.stdlib: not a weight"),
    (TokenizerConfig, {"kind": "bbpe"}, r"data\.tokenizer\.kind: .*did you mean 'bpe'"),
    (TokenizerConfig, {"vocab_size": 256}, r"vocab_size: too small; found 256; .*at least 257"),
    (NumbersConfig, {"length": 1}, r"data\.numbers\.length: too small"),
    (NumbersConfig, {"num_sequences": 1}, r"data\.numbers\.num_sequences: too small"),
    (NumbersConfig, {"max_value": 1}, r"data\.numbers\.max_value: too small"),
]


@pytest.mark.parametrize(("config", "fields", "message"), BAD)
def test_bad_settings_are_refused(config, fields, message):
    """Each message gives the key, what was found and what is allowed."""
    with pytest.raises(FieldError, match=message):
        config(**fields)


def test_weights_become_shares():
    """A mixture is sorted by name and its shares add up to 1."""
    config = DataConfig(source={"stdlib": 3, "pydocs": 1})
    assert config.components == (("pydocs", 0.25), ("stdlib", 0.75))
    assert DataConfig().components == (("stdlib", 1.0),)


def test_errors_travel_between_processes():
    """A pickled error says the same and keeps its parts."""
    error = FieldError("empty", field="data.source", found="x.txt", allowed="text")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "data.source: empty; found x.txt; allowed: text"
    assert (copy.field, copy.found, copy.allowed) == ("data.source", "x.txt", "text")
