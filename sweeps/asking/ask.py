"""Asking a checkpoint what a plan asks: rows for the tables, and scores for the search."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol, cast

import numpy as np
import torch

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.evaluation.registry import put_suite
from picosweep.pico.evaluation.scores import SuiteResult
from picosweep.pico.evaluation.text_suite import NamedText
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.attention import NoAttentionError, attention_weights
from picosweep.pico.probes.embedding import NoVectorsError, embedding_components, token_counts
from picosweep.pico.probes.head_scores import TooSmallError, head_scores
from picosweep.pico.probes.neighbours import nearest_tokens
from picosweep.pico.probes.neurons import NoNeuronsError, TooFewTextsError, neuron_scores
from picosweep.pico.probes.samples import write_samples
from picosweep.pico.sandbox.runner import Mode
from picosweep.pico.weights.restore import restore_model
from picosweep.sweeps.asking.groups import text_groups
from picosweep.sweeps.asking.plan import AskPlan
from picosweep.sweeps.store.tables import Row

MOST_TOKENS: Final = 2000
"""Tokens whose places and neighbours are kept: the most frequent ones, and some never seen."""
MOST_UNSEEN: Final = 200
DIGITS: Final = 4
"""Decimal places of stored attention weights."""


class UnansweredError(RuntimeError):
    """A score that the search looks at could not be had."""


class NotApplicableError(ValueError):
    """A model does not have what a probe looks at."""


@dataclass(kw_only=True)
class Answers:
    """What a model answered."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    """By table, without the columns that say which trial it was."""
    scores: dict[str, float | None] = field(default_factory=dict)
    """Columns of `reports` that a suite gives."""
    remarks: tuple[str, ...] = ()

    def add(self, table: str, row: Row) -> None:
        """Add a row to a table."""
        self.rows.setdefault(table, []).append(row)


def ask(plan: AskPlan, checkpoint: bytes, data: PreparedData) -> Answers:
    """Ask the model of a checkpoint everything that a plan for its rung asks.

    Raises:
        UnansweredError: a score that the search looks at could not be had.
        ValueError: the checkpoint or the user's texts cannot be used.
    """
    answers = Answers()
    if plan.is_empty:
        return answers
    model = restore_model(checkpoint).model
    if plan.prompts:
        for sample in write_samples(
            model, data.tokenizer, plan.prompts, num_tokens=plan.num_tokens
        ):
            answers.add("samples", asdict(sample))
    for place, suite in enumerate(plan.suites):
        found = put_suite(
            suite,
            checkpoint,
            data,
            sandbox=cast("Mode", plan.sandbox),
            texts=[NamedText(name=name, text=text) for name, text in plan.texts.named],
        )
        for row in evaluation_rows(found):
            answers.add("evaluations", row)
        answers.remarks += found.remarks
        answers.scores |= {
            name: score
            for name, score in found.objectives.items()
            if name != "suite_score" or place == 0
        }
    for name in plan.needed & answers.scores.keys():
        if answers.scores[name] is None:
            raise UnansweredError(f"no {name}: {' '.join(answers.remarks) or 'nothing was scored'}")
    for kind in plan.probes:
        try:
            for table, row in PROBES[kind](model, Given(data), plan):
                answers.add(table, row)
        except NOT_APPLICABLE as error:
            answers.add("evaluations", _refused(kind, str(error)))
    return answers


def evaluation_rows(found: SuiteResult) -> Iterator[Row]:
    """Yield the rows of `evaluations` that a suite gives."""
    for item in found.items:
        yield {
            "suite": found.suite,
            "suite_version": found.version,
            "section": item.section,
            "item": item.item,
            "score": item.score,
            "num_scored": item.samples,
            "outcome": item.status,
            "sandbox": found.sandbox or None,
            "detail": item.detail,
        }


def _refused(kind: str, reason: str) -> Row:
    return {
        "suite": "probes",
        "suite_version": None,
        "section": kind,
        "item": "",
        "score": None,
        "num_scored": None,
        "outcome": "not applicable",
        "sandbox": None,
        "detail": reason,
    }


TableRows = Iterator[tuple[str, Row]]


class TrainedOn(Protocol):
    """What a model was trained on; preparing all of it may take long, its tokenizer does not."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""

    @property
    def data(self) -> PreparedData:
        """The prepared data."""


@dataclass(frozen=True)
class Given:
    """Data that lies ready."""

    data: PreparedData

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the data."""
        return self.data.tokenizer


def head_rows(model: LanguageModel, _source: TrainedOn, _plan: AskPlan) -> TableRows:
    """Yield a row for each head, and one for a head that looks at all tokens alike."""
    found = head_scores(model)
    losses = {"first_half_loss": found.first_half_loss, "second_half_loss": found.second_half_loss}
    for head in found.heads:
        yield "probes_heads", asdict(head) | losses
    alike = {"layer": None, "head": None, "loss_without": None}
    yield "probes_heads", {**found.uniform, **alike, **losses}


def attention_rows(model: LanguageModel, source: TrainedOn, plan: AskPlan) -> TableRows:
    """Yield a row for each head with its weights over the prompt.

    Raises:
        NotApplicableError: the prompt is empty, or longer than what the model reads at once.
    """
    ids = source.tokenizer.encode(plan.probe_prompt)
    if not 0 < len(ids) <= model.block_size:
        raise NotApplicableError(
            f"a prompt of {len(ids)} tokens; the model reads 1 to {model.block_size} at once"
        )
    tokens = json.dumps([source.tokenizer.decode([token]) for token in ids])
    ids_BT = torch.tensor([ids], device=model.token_vectors().device)
    for layer, weights_BHTS in enumerate(attention_weights(model, ids_BT)):
        weights_HTS = weights_BHTS[0].cpu()
        for head, weights_TS in enumerate(weights_HTS):
            yield (
                "probes_attention",
                {
                    "layer": layer,
                    "head": head,
                    "prompt": plan.probe_prompt,
                    "prompt_tokens": tokens,
                    "weights": json.dumps(lower_triangle(weights_TS), separators=(",", ":")),
                    "is_distribution": are_distributions(weights_HTS),
                },
            )


def lower_triangle(weights_TS: torch.Tensor) -> list[list[float]]:
    """Return for each token the weights of the tokens up to its own, rounded."""
    return [
        [round(weight, DIGITS) for weight in row[: place + 1]]
        for place, row in enumerate(weights_TS.tolist())
    ]


def are_distributions(weights_HTS: torch.Tensor) -> bool:
    """Return whether every token's weights are positive and sum to 1."""
    return bool((weights_HTS >= 0).all() and (weights_HTS.sum(dim=-1) - 1).abs().max() < 1e-3)


def embedding_rows(model: LanguageModel, source: TrainedOn, _plan: AskPlan) -> TableRows:
    """Yield a row for each component, and one for each of the tokens that are kept."""
    data = source.data
    counts = token_counts(data.train, data.meta.vocab_size)
    found = embedding_components(model, counts)
    for one in found.components:
        yield (
            "probes_components",
            {
                "component": one.number,
                "explained": one.explained,
                "baseline": one.baseline,
                "log_frequency": one.log_frequency,
            },
        )
    by_count = np.argsort(-counts, kind="stable")
    seen, unseen = by_count[counts[by_count] > 0], by_count[counts[by_count] == 0]
    kept = [*seen[: MOST_TOKENS - min(MOST_UNSEEN, len(unseen))], *unseen[:MOST_UNSEEN]]
    ids = [int(token) for token in kept]
    for token, near in zip(ids, nearest_tokens(model, ids, num_neighbours=5), strict=True):
        places = [float(place) for place in found.places[token]] + [None] * 3
        yield (
            "probes_tokens",
            {
                "token": token,
                "token_text": data.tokenizer.decode([token]),
                "occurrences": int(counts[token]),
                **{f"component_{n + 1}": places[n] for n in range(3)},
                "neighbours": json.dumps([data.tokenizer.decode([one.token]) for one in near]),
            },
        )


def neuron_rows(model: LanguageModel, source: TrainedOn, plan: AskPlan) -> TableRows:
    """Yield a row for each neuron that was chosen."""
    groups = text_groups(source.data, plan.texts.labelled, block_size=model.block_size)
    found = neuron_scores(model, groups)
    for one in found.neurons:
        row = asdict(one)
        yield (
            "probes_neurons",
            {
                "text_group": row.pop("group"),
                "unit_kind": found.kind,
                "units_looked_at": found.looked_at,
                **row,
            },
        )


PROBES: Final[dict[str, Callable[[LanguageModel, TrainedOn, AskPlan], TableRows]]] = {
    "heads": head_rows,
    "attention": attention_rows,
    "embedding": embedding_rows,
    "neurons": neuron_rows,
}
"""The probes by name: each yields rows with the table that they are of."""

NOT_APPLICABLE: Final = (
    NotApplicableError,
    NoAttentionError,
    TooSmallError,
    NoVectorsError,
    NoNeuronsError,
    TooFewTextsError,
)
