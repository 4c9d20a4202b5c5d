"""What each attention head looks at, measured on random tokens that repeat, and what it is worth.

A head is judged where only one thing can help: sequences of random tokens, drawn without
replacement, that come twice. In the second half the model can know the next token only by looking
at what followed the token's first occurrence (induction). Sequences are of several lengths: at one
alone, a head that always looks equally far back would score as if it knew the token. Attention to
the right place is not yet use of it, so beside each score stands what the loss becomes without the
head.

Sources: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al.
2022, "In-context Learning and Induction Heads", https://arxiv.org/abs/2209.11895.

Shape suffixes: B batch, N tokens that are repeated, T time of the query (2N), S time of the key,
H heads, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.layers.attention import LinearMixing
from picosweep.pico.probes.attention import (
    attention_weights,
    evaluating,
    mixings,
    without_head,
)

NUM_SEQUENCES: Final = 16
MAX_REPEATED: Final = 64
MIN_REPEATED: Final = 4


class TooSmallError(ValueError):
    """A model cannot be shown a repetition: its block or its vocabulary are too small."""


@dataclass(frozen=True, kw_only=True)
class HeadScore:
    """One head's scores, each from 0 to 1 for softmax attention, and what it is worth."""

    layer: int
    head: int
    previous: float
    """Mean weight on the token before."""
    first: float
    """Mean weight on the first token."""
    duplicate: float
    """Mean weight, in the second half, on the same token's first occurrence."""
    induction: float
    """Mean weight, in the second half, on the token that followed that occurrence."""
    entropy: float | None
    """Of the weights over the t + 1 tokens seen, over its largest value log(t + 1); 0: one token
    has all weight. None for linear attention, whose weights are no distribution."""
    distance: float
    """Mean distance to the tokens looked at, in tokens, weighted by the weights' absolute value."""
    loss_without: float
    """How much the loss on the second half rises without the head, in nats a token."""


@dataclass(frozen=True, kw_only=True)
class HeadScores:
    """Scores of all heads of a model, and what they are held against."""

    heads: tuple[HeadScore, ...]
    uniform: dict[str, float]
    """The same scores of a head that looks at all tokens seen alike."""
    repeated: tuple[int, ...]
    """Numbers of tokens that came twice, each in as many sequences."""
    sequences: int
    """Number of sequences of each length."""
    first_half_loss: float
    """Mean loss where nothing can be known, in nats a token."""
    second_half_loss: float
    """Mean loss where the tokens come again."""

    @property
    def induction_gap(self) -> float:
        """Return how far the loss falls where tokens come again; not by induction alone.

        Where training text holds no token twice, a model of one layer knows which are used up.
        """
        return self.first_half_loss - self.second_half_loss


def head_scores(model: LanguageModel, *, seed: int = 0) -> HeadScores:
    """Score every head of a model on random tokens that come twice.

    Args:
        model: a model with attention, on any device.
        seed: of the random tokens.

    Raises:
        NoAttentionError: the model has no attention.
        TooSmallError: block or vocabulary are too small for four tokens that come twice.
    """
    layers = mixings(model)
    batches = repeated_tokens(model, seed=seed)
    weights = [attention_weights(model, ids_BT) for ids_BT in batches]
    first, second = _losses(model, batches)
    found = []
    for layer, mixing in enumerate(layers):
        own = [weights_BHTS[layer] for weights_BHTS in weights]
        scores = _mean([pattern_scores(weights_BHTS) for weights_BHTS in own])
        entropy_H = None
        if not isinstance(mixing, LinearMixing):
            entropy_H = torch.stack([normalised_entropy(one) for one in own]).mean(dim=0)
        for head in range(own[0].shape[1]):
            with without_head(model, layer, head):
                _, worse = _losses(model, batches)
            found.append(
                HeadScore(
                    layer=layer,
                    head=head,
                    **{name: float(score_H[head]) for name, score_H in scores.items()},
                    entropy=None if entropy_H is None else float(entropy_H[head]),
                    loss_without=worse - second,
                )
            )
    lengths = tuple(ids_BT.shape[1] // 2 for ids_BT in batches)
    return HeadScores(
        heads=tuple(found),
        uniform=uniform_scores(lengths),
        repeated=lengths,
        sequences=len(batches[0]),
        first_half_loss=first,
        second_half_loss=second,
    )


def repeated_tokens(model: LanguageModel, *, seed: int = 0) -> list[Tensor]:
    """Return batches of random token ids `[B, 2N]`, each half the same, no token twice in a half.

    N is half a block, at most 64 and at most the vocabulary, then three quarters and half of it.

    Raises:
        TooSmallError: block or vocabulary are too small for four tokens that come twice.
    """
    most = min(model.block_size // 2, model.vocab_size, MAX_REPEATED)
    if most < MIN_REPEATED:
        raise TooSmallError(
            f"a block of {model.block_size} tokens from {model.vocab_size} different ones; it "
            f"takes {2 * MIN_REPEATED} from {MIN_REPEATED} to see a repetition"
        )
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    batches = []
    for length in sorted({max(MIN_REPEATED, most * part // 4) for part in (4, 3, 2)}, reverse=True):
        halves = [
            torch.randperm(model.vocab_size, generator=generator)[:length]
            for _ in range(NUM_SEQUENCES)
        ]
        batches.append(torch.stack(halves).repeat(1, 2).to(device))
    return batches


def _mean(scores: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each score over batches."""
    return {name: torch.stack([one[name] for one in scores]).mean(dim=0) for name in scores[0]}


def pattern_scores(weights_BHTS: Tensor) -> dict[str, Tensor]:
    """Return each head's mean weight on the places that are told apart, `[H]`, and its distance.

    Args:
        weights_BHTS: weights over sequences whose second half repeats the first; not changed.

    Returns:
        previous and first: over all queries but the first; duplicate and induction: over the
        queries of the second half; distance: over all queries.
    """
    length = weights_BHTS.shape[-1]
    half = length // 2
    query = torch.arange(length, device=weights_BHTS.device)
    later, again = query[1:], query[half:]
    weights_HTS = weights_BHTS.mean(dim=0)
    apart_TS = (query[:, None] - query[None, :]).abs()
    absolute_HTS = weights_BHTS.abs().mean(dim=0)
    return {
        "previous": weights_HTS[:, later, later - 1].mean(dim=-1),
        "first": weights_HTS[:, later, 0].mean(dim=-1),
        "duplicate": weights_HTS[:, again, again - half].mean(dim=-1),
        "induction": weights_HTS[:, again, again - half + 1].mean(dim=-1),
        "distance": (absolute_HTS * apart_TS).sum(dim=(1, 2)) / absolute_HTS.sum(dim=(1, 2)),
    }


def normalised_entropy(weights_BHTS: Tensor) -> Tensor:
    """Return each head's mean entropy over its largest value, `[H]`; the first query has none."""
    length = weights_BHTS.shape[-1]
    entropy_BHT = -torch.special.xlogy(weights_BHTS, weights_BHTS).sum(dim=-1)
    most_T = torch.arange(2, length + 1, device=weights_BHTS.device).log()
    shares_BHT: Tensor = entropy_BHT[..., 1:] / most_T
    return shares_BHT.mean(dim=(0, 2))


def uniform_scores(lengths: Sequence[int]) -> dict[str, float]:
    """Return the scores of a head that looks at every token up to its own alike.

    Args:
        lengths: numbers of tokens that come twice, whose scores are averaged.
    """
    found = []
    for length in lengths:
        seen_TS = torch.ones(2 * length, 2 * length).tril()
        weights_BHTS = (seen_TS / seen_TS.sum(dim=-1, keepdim=True))[None, None]
        entropy_H = normalised_entropy(weights_BHTS)
        found.append(pattern_scores(weights_BHTS) | {"entropy": entropy_H})
    return {name: float(value_H[0]) for name, value_H in _mean(found).items()}


@torch.no_grad()
def _losses(model: LanguageModel, batches: Sequence[Tensor]) -> tuple[float, float]:
    """Return the mean loss of tokens that cannot be known, and of those that came before.

    The first token of the second half cannot be known: nothing says that the sequence starts anew.
    """
    first, second = [], []
    for ids_BT in batches:
        half = ids_BT.shape[1] // 2
        with evaluating(model):
            logits_BTV = model(ids_BT[:, :-1]).float()
        losses_BT = functional.cross_entropy(logits_BTV.mT, ids_BT[:, 1:], reduction="none")
        first.append(losses_BT[:, : half - 1].mean())
        second.append(losses_BT[:, half:].mean())
    return float(torch.stack(first).mean()), float(torch.stack(second).mean())
