"""Generation against a loop without a cache, for every architecture."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
import torch

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import DECODER_TABLE, Decoding
from picosweep.pico.probes.generate import Job, generate, stream, stream_text
from tests.pico import tiny_models

VOCAB_SIZE, BLOCK_SIZE = 23, 8
GREEDY = Decoding(temperature=0)
CASES = [
    ("kgram", {"context_size": 4}),
    ("lstm", {}),
    ("transformer", {}),
    ("transformer", {"position": "learned"}),
    ("linear_transformer", {"chunk_size": 3}),
]
every_case = pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)


@pytest.fixture(autouse=True)
def _one_thread_one_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)


def build(architecture: str, options: dict[str, Any]) -> LanguageModel:
    model = tiny_models.build(architecture, options, VOCAB_SIZE, BLOCK_SIZE)
    with torch.no_grad():
        for parameter in model.parameters():
            # Larger weights: else every text of an untrained model is one token over and over.
            parameter.add_(torch.randn_like(parameter))
    return model


def slow_greedy(model: LanguageModel, prompt: Sequence[int], num_tokens: int) -> list[int]:
    """Return what follows, every token from a whole forward pass over what may be held."""
    text = list(prompt)
    limit = model.max_context
    held = list(prompt) if limit is None else list(prompt)[-limit:]
    with torch.no_grad():
        for _ in range(num_tokens):
            text.append(int(model(torch.tensor([held]))[0, -1].argmax()))
            held = [*held, text[-1]] if limit is None or len(held) < limit else text[-limit // 2 :]
    return text[len(prompt) :]


@every_case
@pytest.mark.parametrize("length", [1, 5, 8, 20])
def test_greedy_is_that_of_whole_passes(
    architecture: str, options: dict[str, Any], length: int
) -> None:
    """Far beyond the block, every token is the one that passes without a cache give."""
    model = build(architecture, options)
    prompt = torch.randint(VOCAB_SIZE, (length,)).tolist()
    got = list(islice(stream(model, prompt, GREEDY), 30))
    assert got == slow_greedy(model.eval(), prompt, 30)
    assert len(set(got)) > 1


@every_case
def test_batch_is_many_single_texts(architecture: str, options: dict[str, Any]) -> None:
    """Jobs of several lengths, decoders and seeds give what each gives alone."""
    model = build(architecture, options)
    jobs = [
        Job(prompt=prompt, decoding=decoding, seed=seed)
        for seed, (prompt, decoding) in enumerate(
            (prompt, decoding)
            for prompt in ([1], [2, 3, 4], [5], [6, 7, 8])
            for decoding in (GREEDY, Decoding(), Decoding(temperature=0.7, top_k=5))
        )
    ]
    together = generate(model, jobs, num_tokens=12)
    for job, tokens in zip(jobs, together, strict=True):
        alone = stream(model, job.prompt, job.decoding, seed=job.seed)
        assert list(islice(alone, 12)) == tokens


def test_seed_decides_the_text() -> None:
    """The same seed gives the same text, another seed another one; torch's own stream rests."""
    model = build("transformer", {})
    before = torch.get_rng_state()

    def text(seed: int) -> list[int]:
        return list(islice(stream(model, [1, 2], Decoding(), seed=seed), 20))

    assert text(5) == text(5)
    assert text(5) != text(6)
    assert torch.equal(torch.get_rng_state(), before)


def test_stop_token_ends_one_text_only() -> None:
    """A stop token ends its own text, is not part of it, and leaves the others running."""
    model = build("lstm", {})
    jobs = [Job(prompt=[1], decoding=Decoding(), seed=seed) for seed in range(6)]
    free = generate(model, jobs, num_tokens=40)
    stop = free[0][7]
    stopped = generate(model, jobs, num_tokens=40, stop_ids={stop})
    for whole, cut in zip(free, stopped, strict=True):
        assert cut == (whole[: whole.index(stop)] if stop in whole else whole)
    assert list(stream(model, [1], Decoding(), seed=0, stop_ids={stop})) == stopped[0]


def test_dropout_is_off_and_training_mode_comes_back() -> None:
    """A model in training generates without dropout and is in training again afterwards."""
    model = build("transformer", {"dropout": 0.5}).train()
    texts = {tuple(islice(stream(model, [1, 2], GREEDY), 10)) for _ in range(3)}
    assert len(texts) == 1
    assert model.training


def test_bad_prompts_are_refused_at_once() -> None:
    """An empty prompt and a token outside the vocabulary are refused before any token."""
    model = build("kgram", {})
    with pytest.raises(ValueError, match="the prompt is empty; allowed: at least one token"):
        stream(model, [], GREEDY)
    with pytest.raises(ValueError, match="the prompt has token 23; allowed: 0 to 22"):
        generate(model, [Job(prompt=[1, 23], decoding=GREEDY)], num_tokens=1)


def test_no_jobs_give_no_texts() -> None:
    """Nothing asked, nothing written."""
    assert generate(build("kgram", {}), [], num_tokens=3) == []


class Bytes:
    """A tokenizer whose tokens are the bytes of UTF-8."""

    separator, end_of_text_id = "", 0

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")


class Parrot(LanguageModel):
    """Says one text whatever it is told."""

    max_context = None

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.text, self.vocab_size, self.block_size = text, 256, 8
        self.table = torch.nn.Parameter(torch.zeros(256, 1))

    def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def init_cache(self, batch_size: int) -> int:
        return 0

    def step(self, ids_BT: torch.Tensor, cache: int) -> tuple[torch.Tensor, int]:
        logits_BTV = torch.zeros(*ids_BT.shape, 256)
        logits_BTV[..., self.text[cache % len(self.text)]] = 1.0
        return logits_BTV, cache + 1

    def token_vectors(self) -> torch.Tensor:
        return self.table


def test_text_comes_in_whole_characters() -> None:
    """No piece holds half a character, and together they are the text."""
    said = "né – ok 🙂!"
    model, length = Parrot(said.encode()), len(said.encode())
    pieces = list(stream_text(model, Bytes(), "x", GREEDY, num_tokens=length))
    assert "".join(pieces) == said
    assert pieces == list(said)
    cut = list(stream_text(model, Bytes(), "x", GREEDY, num_tokens=2))
    assert cut == ["n", "�"]


def test_decoder_table_runs_as_one_batch() -> None:
    """All decoders of the table write from one prompt at once."""
    model = build("transformer", {})
    jobs = [Job(prompt=[1, 2], decoding=decoding) for decoding in DECODER_TABLE]
    texts = generate(model, jobs, num_tokens=15)
    assert [len(text) for text in texts] == [15] * len(DECODER_TABLE)
    assert texts[0] == slow_greedy(model.eval(), [1, 2], 15)
