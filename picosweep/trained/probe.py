"""How a trained trial does it: `picosweep probe`, its attention and what each head is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch

from picosweep.pico.probes.attention import NoAttentionError, attention_weights
from picosweep.pico.probes.head_scores import HeadScores, TooSmallError, head_scores
from picosweep.sweeps.errors import input_error
from picosweep.trained.generate import Writer

Kind = Literal["heads", "attention"]
NUM_LOOKED_AT: Final = 3


@dataclass(frozen=True, kw_only=True)
class HeadWeights:
    """One head's attention over a prompt."""

    layer: int
    head: int
    weights: tuple[tuple[float, ...], ...]
    """For each token of the prompt, the weights of all of its tokens; those of later ones are 0."""

    def looked_at(self, query: int = -1) -> list[tuple[int, float]]:
        """Return the tokens that one token looks at most, by place, with their weights."""
        own = self.weights[query]
        places = sorted(range(len(own)), key=lambda place: -abs(own[place]))
        return [(place, own[place]) for place in places[:NUM_LOOKED_AT] if own[place]]


@dataclass(frozen=True, kw_only=True)
class Attention:
    """The attention of every head over a prompt."""

    tokens: tuple[str, ...]
    heads: tuple[HeadWeights, ...]
    is_distribution: bool
    """Whether the weights of a token are positive and sum to 1, as those of softmax attention do;
    linear attention's need not."""


def probe(
    trial_id: str,
    *,
    kind: Kind = "heads",
    prompt: str = "",
    seed: int = 0,
    results: str | Path = "results",
) -> HeadScores | Attention:
    """Look into a trained trial with attention.

    Args:
        trial_id: id of the trial, or a beginning of it.
        kind: `heads`: what each head does on random tokens that come twice, and what it is worth;
            `attention`: what each head looks at in a prompt.
        prompt: text for `attention`, at most a block of tokens.
        seed: of the random tokens.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no checkpoint or no attention, its block or
            vocabulary are too small, its tokenizer cannot write the prompt, or the prompt is empty
            or longer than a block.
    """
    writer = Writer(trial_id, results)
    try:
        if kind == "attention":
            return attention_over(writer, prompt)
        return head_scores(writer.model, seed=seed)
    except NoAttentionError as error:
        raise input_error(
            "this trial's model has no attention to look at",
            key=writer.row["trial_id"],
            found=writer.row["architecture"],
            allowed="a transformer, with softmax or linear attention",
        ) from error
    except TooSmallError as error:
        raise input_error(
            "this trial's heads cannot be scored", key=writer.row["trial_id"], found=str(error)
        ) from error


def attention_over(writer: Writer, prompt: str) -> Attention:
    """Return the attention of every head over a prompt.

    Raises:
        InputError: the tokenizer cannot write the prompt, or it is empty or longer than a block.
        NoAttentionError: the model has no attention.
    """
    if not prompt:
        raise input_error("attention needs a prompt to look at", hint='--prompt "some text"')
    ids = writer.ids(prompt)
    if len(ids) > writer.model.block_size:
        raise input_error(
            "the prompt is longer than what the model reads at once",
            found=f"{len(ids)} tokens",
            allowed=f"at most {writer.model.block_size}, its block",
        )
    layers = attention_weights(writer.model, torch.tensor([ids]))
    rows_sum_to_1 = all(
        bool((weights >= 0).all() and (weights.sum(dim=-1) - 1).abs().max() < 1e-3)
        for weights in layers
    )
    return Attention(
        tokens=tuple(writer.tokenizer.decode([token]) for token in ids),
        heads=tuple(
            HeadWeights(layer=layer, head=head, weights=_rows(weights_TS.tolist()))
            for layer, weights_BHTS in enumerate(layers)
            for head, weights_TS in enumerate(weights_BHTS[0])
        ),
        is_distribution=rows_sum_to_1,
    )


def _rows(weights: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in weights)
