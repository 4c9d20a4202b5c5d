"""Real text of every layout that people have, each trained to its first rung from a spec.

The folder comes from the environment variable PICOSWEEP_TEST_DATA; without it these tests skip.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from pico.data.prepare import prepare
from pico.train import train
from sweeps.architectures import find_architectures
from sweeps.candidates import Candidate, CandidateFactory
from sweeps.spaces import build_spaces
from sweeps.spec import parse_spec
from sweeps.yaml_file import Document

FOLDER = os.environ.get("PICOSWEEP_TEST_DATA")
pytestmark = [
    pytest.mark.real_text,
    pytest.mark.skipif(FOLDER is None, reason="PICOSWEEP_TEST_DATA names no folder of texts"),
]

BPE = {"kind": "bpe", "vocab_size": 512}
SOURCES: dict[str, dict[str, Any]] = {
    "tinystories": {"source": "tinystories/tinystories_3000.txt", "tokenizer": BPE},
    "shakespeare": {"source": "tinyshakespeare/input.txt", "tokenizer": {"kind": "char"}},
    "wikitext": {"source": "wikitext2/wiki_raw_train_head.txt", "tokenizer": BPE},
    "c4": {"source": "c4/c4_text.jsonl", "tokenizer": BPE},
    "books": {"source": "books", "tokenizer": BPE},
    "names": {"source": "names/names.txt", "tokenizer": {"kind": "char"}, "mode": "padded"},
    "save_to_disk": {"source": "hf_save_to_disk/tinybook", "tokenizer": BPE},
    "gpt2": {
        "source": "tinyshakespeare/input.txt",
        "tokenizer": {"kind": "gpt2", "path": "tokenizer"},
    },
}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_it_trains_for_one_rung(name: str, tmp_path: Path) -> None:
    """The text is read, split, tokenised and learnt from: the loss falls."""
    root = Path(FOLDER or "")
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in SOURCES[name].items()}
    data["source"] = str(root / data["source"])
    if "path" in data["tokenizer"]:
        data["tokenizer"]["path"] = str(root / data["tokenizer"]["path"])
    num_tokens = 2048 if name == "gpt2" else 32_768  # 50,257 logits a token take their time
    if not Path(data["source"]).exists():
        pytest.skip(f"{data['source']} is missing")
    spec = parse_spec(
        {
            "name": name,
            "data": {**data, "block_size": 32, "max_bytes": 600_000},
            "budget": {"unit": "tokens", "min": num_tokens, "rungs": 1, "reports_per_rung": 3},
            "evaluation": {"tokens": num_tokens // 8},
            "architectures": {
                "kgram": {
                    "batch_size": 16,
                    "embed_size": 16,
                    "hidden_size": 32,
                    "learning_rate": 0.01,
                }
            },
        }
    )
    nowhere = Document(path=Path("spec"), content={}, lines={})
    prepared = prepare(spec.data_config, tmp_path)
    architectures = find_architectures(spec, nowhere)
    spaces, _ = build_spaces(spec, nowhere, architectures)
    factory = CandidateFactory(spec, architectures, {2048: prepared.meta})
    (chosen,) = spaces["kgram"].configurations(1) or [{}]
    candidate = factory.build("kgram", chosen, 0)
    assert isinstance(candidate, Candidate), candidate
    reports = list(train(candidate.trial, prepared, report_steps=candidate.plan.steps))
    assert reports[-1].tokens == num_tokens
    assert reports[-1].val_loss < reports[0].val_loss
    assert 0 < reports[-1].bits_per_byte < 6
