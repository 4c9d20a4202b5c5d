"""The text suite: how well a model predicts, how it writes, what it has by heart, how far it reads.

Whatever is measured of what the model writes is measured of held-out text as well, as much of it:
that is what a figure has to be held against.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from picosweep.pico.data.batching.batches import validation_batches
from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.data.tokenizer_quality import check_prepared
from picosweep.pico.data.tokenizers.tokenizer import ListTokenizer, Tokenizer
from picosweep.pico.evaluation.diversity import cut_to_equal, distinct, repetition
from picosweep.pico.evaluation.memorisation import longest_matches, share_of_runs
from picosweep.pico.evaluation.position_loss import (
    TIMES_LONGER,
    loss_by_place,
    training_like_windows,
)
from picosweep.pico.evaluation.scores import HELD_OUT, VERSIONS, Item, Progress, SuiteResult
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import Decoding
from picosweep.pico.probes.generate import Job, generate
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.language_evaluation import Evaluation, evaluate

NUM_TEXTS: Final = 32
TEXT_TOKENS: Final = 128
RUN: Final = 8
"""Tokens in a row that count as taken from the training data."""
EVALUATION_TOKENS: Final = 1024
BANDS: Final = (
    (50.0, "below 50: good, by the usual bands"),
    (100.0, "below 100: fair, by the usual bands"),
    (200.0, "below 200: poor, by the usual bands"),
)
COMPARABLE_VOCABULARIES: Final = range(4_000, 100_001)
"""Sizes of vocabularies of word pieces in which the usual bands of perplexity were made."""


@dataclass(frozen=True, kw_only=True)
class NamedText:
    """A text that the user wants to know the perplexity of."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Longer:
    """The same weights with room for more tokens at once."""

    model: LanguageModel | None
    reason: str = ""
    """Why there is no such model."""


def evaluate_text(
    model: LanguageModel,
    data: PreparedData,
    *,
    longer: Longer,
    validation_tokens: int,
    texts: Sequence[NamedText] = (),
    seed: int = 0,
    progress: Progress = lambda _stage, _share: None,
) -> SuiteResult:
    """Put the whole suite to a model.

    Args:
        model: model to run, on the device of its weights.
        data: the data that it was trained on.
        longer: the same weights with room for more than a block, where their places allow it.
        validation_tokens: tokens of the validation part that perplexity is taken over.
        texts: further texts to take it over.
        seed: of what the model writes.
        progress: called with a stage and the share of it that is done.

    Raises:
        ValueError: the tokenizer cannot write one of `texts`, or one is too short.
    """
    progress("reading validation text", 0.0)
    validation = _perplexity_of_validation(model, data, validation_tokens)
    items = _perplexity_items("validation", validation, data)
    for text in texts:
        said = _unknown(data.tokenizer, text.text)
        items += _perplexity_items(text.name, _perplexity_of(model, data, text), data, said)
    progress("writing", 0.0)
    written, held_out = _written_and_held_out(model, data, seed)
    items += _diversity(written, held_out, data.tokenizer)
    items += _memorisation(written, held_out, data, progress)
    progress("reading by place", 0.0)
    items += _by_place(model, longer, data)
    progress("checking the tokenizer", 0.0)
    items += _tokenizer(data)
    return SuiteResult(
        suite="text",
        version=VERSIONS["text"],
        items=tuple(items),
        objectives={"suite_score": 2.0**-validation.bits_per_byte},
    )


def _perplexity_of_validation(
    model: LanguageModel, data: PreparedData, max_tokens: int
) -> Evaluation:
    batches = validation_batches(
        data,
        block_size=model.block_size,
        batch_size=max(1, EVALUATION_TOKENS // model.block_size),
        max_tokens=max_tokens,
    )
    device = model.token_vectors().device
    return evaluate(
        model,
        [(x_BT.to(device), y_BT.to(device)) for x_BT, y_BT in batches],
        token_bytes_V=torch.as_tensor(data.token_bytes).to(device),
    )


def _perplexity_of(model: LanguageModel, data: PreparedData, text: NamedText) -> Evaluation:
    """Return the evaluation over a whole text, in windows of a block, one after another.

    Raises:
        ValueError: the tokenizer cannot write the text, or it has no two tokens.
    """
    end = data.tokenizer.end_of_text_id
    ids = [end, *data.tokenizer.encode(text.text), end]
    if len(ids) < 3:
        raise ValueError("the text is empty")
    block = model.block_size
    device = model.token_vectors().device
    batches = []
    for start in range(0, len(ids) - 1, block):
        x = torch.tensor([ids[start : start + block]], device=device)
        y = torch.tensor([ids[start + 1 : start + block + 1]], device=device)
        batches.append((x[:, : y.shape[1]], y))
    if not data.meta.predict_end:
        batches[-1][1][0, -1] = IGNORED
    return evaluate(model, batches, token_bytes_V=torch.as_tensor(data.token_bytes).to(device))


def _unknown(tokenizer: Tokenizer, text: str) -> str:
    """Say how much of a text its tokenizer does not know; nothing where it knows all."""
    if not isinstance(tokenizer, ListTokenizer):
        return ""
    ids = tokenizer.encode(text)
    unknown = ids.count(tokenizer.unknown_id)
    return f"{unknown:,} of its {len(ids):,} tokens are unknown; " if unknown else ""


def _perplexity_items(
    name: str, found: Evaluation, data: PreparedData, said: str = ""
) -> list[Item]:
    band = perplexity_band(found.perplexity, data.meta.vocab_size, data.meta.tokenizer_kind)
    return [
        Item(
            section="perplexity",
            item=name,
            score=found.perplexity,
            samples=found.num_tokens,
            detail=said + band,
        ),
        Item(
            section="bits per byte",
            item=name,
            score=found.bits_per_byte,
            samples=found.num_tokens,
        ),
    ]


def perplexity_band(perplexity: float, vocab_size: int, kind: str) -> str:
    """Say how good a perplexity is called, or why that cannot be said."""
    if kind in {"char", "int"} or vocab_size not in COMPARABLE_VOCABULARIES:
        return (
            f"no band: the usual ones are of word pieces, {COMPARABLE_VOCABULARIES.start:,} to "
            f"{COMPARABLE_VOCABULARIES.stop - 1:,} of them, and this {kind} vocabulary has "
            f"{vocab_size:,} entries"
        )
    for most, words in BANDS:
        if perplexity < most:
            return words
    return "200 or more: above the usual bands"


def _written_and_held_out(
    model: LanguageModel, data: PreparedData, seed: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Return texts from the model's own distribution, and as much of unseen ones, as token ids.

    Both begin with a document and end with it; of a pair, the longer is cut.
    """
    end = data.tokenizer.end_of_text_id
    jobs = [
        Job(prompt=[end], decoding=Decoding(), seed=seed + number) for number in range(NUM_TEXTS)
    ]
    written = generate(model, jobs, num_tokens=TEXT_TOKENS, stop_ids=(end,))
    starts = data.validation_starts
    documents = np.linspace(0, len(starts) - 2, NUM_TEXTS).astype(np.int64)
    pairs = []
    for text, place in zip(written, documents, strict=True):
        unseen = data.validation[starts[place] + 1 : starts[place + 1]].tolist()
        length = min(len(text), len(unseen))
        pairs.append((text[:length], unseen[:length]))
    return [text for text, _ in pairs], [unseen for _, unseen in pairs]


def _diversity(
    written: Sequence[Sequence[int]], held_out: Sequence[Sequence[int]], tokenizer: Tokenizer
) -> list[Item]:
    pairs = cut_to_equal(
        [tokenizer.decode(list(ids)) for ids in written],
        [tokenizer.decode(list(ids)) for ids in held_out],
    )
    found = []
    for section, texts in zip(("diversity", f"diversity{HELD_OUT}"), pairs, strict=True):
        scores = {f"distinct-{n}": distinct(texts, n) for n in (1, 2, 3)}
        scores["repeats itself"] = statistics.fmean(map(repetition, texts)) if texts else None
        found += [_measured(section, name, score, len(texts)) for name, score in scores.items()]
    return found


def _memorisation(
    written: Sequence[Sequence[int]],
    held_out: Sequence[Sequence[int]],
    data: PreparedData,
    progress: Progress,
) -> list[Item]:
    matches = longest_matches(
        data.train,
        [*written, *held_out],
        progress=lambda share: progress("looking texts up in the training data", share),
    )
    sides = (matches[: len(written)], matches[len(written) :])
    found = []
    for section, own in zip(("memorisation", f"memorisation{HELD_OUT}"), sides, strict=True):
        longest: list[int] = [int(match.max()) for match in own if len(match)]
        shares: dict[str, float | None] = {
            f"runs of {RUN} tokens that stand in the training data": share_of_runs(own, RUN),
            "longest run, tokens, median of the texts": _or_none(statistics.median, longest),
            "longest run, tokens, of any text": _or_none(max, longest),
        }
        found += [_measured(section, name, score, len(own)) for name, score in shares.items()]
    return found


def _or_none(measure: Callable[[list[int]], float], values: list[int]) -> float | None:
    return float(measure(values)) if values else None


def _measured(section: str, item: str, score: float | None, samples: int) -> Item:
    if score is None:
        reason = "the texts are too short"
        return Item(section=section, item=item, score=None, status="not applicable", detail=reason)
    return Item(section=section, item=item, score=score, samples=samples)


def _by_place(model: LanguageModel, longer: Longer, data: PreparedData) -> list[Item]:
    block = model.block_size
    items = []
    for section, reader, length in (
        ("loss by place", model, block),
        ("loss by place, past a block", longer.model, TIMES_LONGER * block),
    ):
        windows = training_like_windows(data, length + 1)
        if reader is None or not len(windows.ids):
            reason = longer.reason if reader is None else "the validation part is too short"
            items.append(
                Item(
                    section=section,
                    item="all places",
                    score=None,
                    status="not applicable",
                    detail=reason,
                )
            )
            continue
        items += [
            Item(
                section=section,
                item=f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}",
                score=one.loss,
                samples=one.tokens,
            )
            for one in loss_by_place(reader, windows)
        ]
    return items


def _tokenizer(data: PreparedData) -> list[Item]:
    quality = check_prepared(data)
    scores = {
        "texts that come back unchanged": quality.num_round_trips / quality.num_texts,
        "characters per token": quality.characters_per_token,
        "bytes per token": quality.bytes_per_token,
        "ids in use": quality.used_fraction,
    }
    return [
        Item(section="tokenizer", item=name, score=score, samples=quality.num_texts)
        for name, score in scores.items()
    ]
