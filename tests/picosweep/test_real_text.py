"""Text of every layout that people have, each trained to its first rung from a spec.

Real text comes from the folder that the environment variable PICOSWEEP_TEST_DATA names; without it
small texts in the same layouts stand in, but for GPT-2's tokenizer.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import datasets
import pytest

from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.training.train import train
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.spec.architectures import find_architectures
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.load import parse_spec
from picosweep.sweeps.spec.spaces import build_spaces

pytestmark = pytest.mark.real_text

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


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text of each layout."""
    folder = os.environ.get("PICOSWEEP_TEST_DATA")
    return Path(folder) if folder else _small_texts(tmp_path_factory.mktemp("texts"))


def _small_texts(root: Path) -> Path:
    """Stories without a plot, in the layouts of the real texts."""
    chance = random.Random(0)
    words = ["Ada", "Bea", "Cid", "sees", "calls", "meets", "the dog", "the cat", "and", "then"]
    stories = [" ".join(chance.choices(words, k=60)) + "." for _ in range(900)]
    contents = {
        "tinystories/tinystories_3000.txt": "\n<|endoftext|>\n".join(stories),
        "tinyshakespeare/input.txt": "\n\n".join(stories),
        "wikitext2/wiki_raw_train_head.txt": "".join(f" = Of it = \n {s} \n" for s in stories),
        "c4/c4_text.jsonl": "".join(json.dumps({"text": story}) + "\n" for story in stories),
        "books/one.txt": "\ufeff" + "\r\n\r\n".join(stories[::2]),
        "books/two.txt": "\r\n\r\n".join(stories[1::2]),
        "names/names.txt": "\n".join(
            "".join(chance.choices("aeioulmnr", k=chance.randrange(3, 9))) for _ in range(9000)
        ),
    }
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="")
    rows = datasets.Dataset.from_dict({"text": stories})
    rows.save_to_disk(root / "hf_save_to_disk/tinybook")
    return root


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_it_trains_for_one_rung(name: str, root: Path, tmp_path: Path) -> None:
    """The text is read, split, tokenised and learnt from: the loss falls."""
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in SOURCES[name].items()}
    data["source"] = str(root / data["source"])
    if "path" in data["tokenizer"]:
        data["tokenizer"]["path"] = str(root / data["tokenizer"]["path"])
    num_tokens = 2048 if name == "gpt2" else 32_768  # 50,257 logits a token take their time
    if "path" in data["tokenizer"] and not Path(data["tokenizer"]["path"]).exists():
        pytest.skip("GPT-2's tokenizer is there only where PICOSWEEP_TEST_DATA names its folder")
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
    factory = CandidateFactory(
        spec, architectures, {spec.data_config.tokenizer.vocab_size: prepared.meta}
    )
    (chosen,) = spaces["kgram"].configurations(1) or [{}]
    candidate = factory.build("kgram", chosen, 0)
    assert isinstance(candidate, Candidate), candidate
    reports = list(train(candidate.trial, prepared, report_steps=candidate.plan.steps))
    assert reports[-1].tokens == num_tokens
    assert reports[-1].val_loss < reports[0].val_loss
    assert 0 < reports[-1].evaluation["bits_per_byte"] < 6
