"""Text from a trained model: token by token, from one prompt or many, seeded.

A model with a limit to what it can read (`max_context`) continues past it by starting anew from
the last half of what it held: every token still sees at least that much of the text before it.

Shape suffixes: B batch, T time, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

import torch
from torch import Tensor

from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.models.interface import Cache, LanguageModel
from picosweep.pico.probes.decoding import Decoding, choose_token

INCOMPLETE: Final = "\ufffd"
"""What a decoder writes for bytes that are not yet a character."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One text to write: what it starts with, how tokens are chosen, from which seed."""

    prompt: Sequence[int]
    decoding: Decoding
    seed: int = 0


def stream(
    model: LanguageModel,
    prompt: Sequence[int],
    decoding: Decoding,
    *,
    seed: int = 0,
    stop_ids: Collection[int] = (),
) -> Iterator[int]:
    """Return an iterator over the tokens after `prompt`, up to one of `stop_ids` or without end.

    From the first token on, until the iterator itself is dropped, the model is in evaluation
    mode. Torch's global random stream is left alone.

    Args:
        model: model to run, on the device of its weights.
        prompt: token ids, at least one.
        decoding: settings by which the next token is chosen.
        seed: seed of the draws: the same seed gives the same tokens.
        stop_ids: tokens that end the text; they are not yielded.

    Raises:
        ValueError: the prompt is empty or has an id outside the vocabulary.
    """
    job = Job(prompt=prompt, decoding=decoding, seed=seed)
    rows = _stream_rows(model, [job])
    return takewhile(lambda token: token not in stop_ids, (token for (token,) in rows))


def generate(
    model: LanguageModel,
    jobs: Sequence[Job],
    *,
    num_tokens: int,
    stop_ids: Collection[int] = (),
) -> list[list[int]]:
    """Return what follows each job's prompt; jobs with prompts of one length run as one batch.

    Args:
        model: model to run, on the device of its weights.
        jobs: texts to write, any number of them.
        num_tokens: most tokens to write for each job.
        stop_ids: tokens that end a text; they are not part of it.

    Returns:
        new tokens of each job, without its prompt, as `stream` would yield them.

    Raises:
        ValueError: a prompt is empty or has an id outside the vocabulary.
    """
    by_length = defaultdict(list)
    for index, job in enumerate(jobs):
        by_length[len(job.prompt)].append(index)
    texts: list[list[int]] = [[] for _ in jobs]
    for indices in by_length.values():
        open_rows = set(range(len(indices)))
        rows = _stream_rows(model, [jobs[index] for index in indices])
        for tokens in islice(rows, num_tokens):
            open_rows -= {row for row in open_rows if tokens[row] in stop_ids}
            if not open_rows:
                break
            for row in open_rows:
                texts[indices[row]].append(tokens[row])
        rows.close()
    return texts


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Return a prompt's token ids; the mark before a document where there is no text.

    Raises:
        ValueError: the tokenizer cannot read the prompt.
    """
    return tokenizer.encode(prompt) or [tokenizer.end_of_text_id]


def separator_after(tokenizer: Tokenizer, prompt: str) -> str:
    """Return what stands between a prompt and what is written after it."""
    return tokenizer.separator if prompt and not prompt[-1].isspace() else ""


def stream_text(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    decoding: Decoding,
    *,
    num_tokens: int,
    seed: int = 0,
    stop_ids: Collection[int] = (),
) -> Iterator[str]:
    """Yield the text that follows `prompt` piece by piece, each but the last of whole characters.

    An empty prompt stands for the start of a document.

    Raises:
        ValueError: the tokenizer cannot read the prompt.
    """
    ids: list[int] = []
    written = ""
    prompted = prompt_ids(tokenizer, prompt)
    tokens = stream(model, prompted, decoding, seed=seed, stop_ids=stop_ids)
    for token in islice(tokens, num_tokens):
        if not ids and (between := separator_after(tokenizer, prompt)):
            yield between
        ids.append(token)
        text = tokenizer.decode(ids)
        if not text.endswith(INCOMPLETE) and len(text) > len(written):
            yield text[len(written) :]
            written = text
    rest = tokenizer.decode(ids)[len(written) :]
    if rest:
        yield rest


def _stream_rows(model: LanguageModel, jobs: Sequence[Job]) -> Generator[list[int], None, None]:
    for job in jobs:
        _check_prompt(job.prompt, model.vocab_size)
    return _rows(model, jobs)


def _rows(model: LanguageModel, jobs: Sequence[Job]) -> Generator[list[int], None, None]:
    """Yield the next token of every job; their prompts have one length."""
    device = model.token_vectors().device
    randoms = [torch.Generator().manual_seed(job.seed) for job in jobs]
    texts = [list(job.prompt) for job in jobs]
    context = model.max_context
    was_training = model.training
    model.eval()
    try:
        cache, num_held, num_new = model.init_cache(len(jobs)), 0, len(jobs[0].prompt)
        if context is not None:
            num_new = min(num_new, context)
        while True:
            new_BT = torch.tensor([text[-num_new:] for text in texts], device=device)
            logits_BV, cache = _last_logits(model, new_BT, cache)
            num_held += num_new
            tokens = [
                choose_token(logits_V, text, job.decoding, random)
                for logits_V, text, job, random in zip(logits_BV, texts, jobs, randoms, strict=True)
            ]
            yield tokens
            for text, token in zip(texts, tokens, strict=True):
                text.append(token)
            num_new = 1
            if num_held == context:
                cache, num_held, num_new = model.init_cache(len(jobs)), 0, max(1, context // 2)
    finally:
        model.train(was_training)


@torch.no_grad()
def _last_logits(model: LanguageModel, new_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
    logits_BTV, cache = model.step(new_BT, cache)
    return logits_BTV[:, -1].float().cpu(), cache


def _check_prompt(prompt: Sequence[int], vocab_size: int) -> None:
    if not prompt:
        raise ValueError("the prompt is empty; allowed: at least one token")
    for token in prompt:
        if not 0 <= token < vocab_size:
            raise ValueError(f"the prompt has token {token}; allowed: 0 to {vocab_size - 1}")
