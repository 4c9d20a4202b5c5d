"""How the next token is chosen from the logits.

Shape suffixes: V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import torch
from torch import Tensor

from picosweep.pico.field_checks import Count, NotNegative, Positive, check_fields, number

TopP = Annotated[float, number("above 0 and at most 1", above=0, most=1)]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Settings of one decoder; the defaults draw from the model's own distribution."""

    temperature: NotNegative = 1.0
    """Divisor of the logits; 0 always takes the likeliest token (greedy)."""
    top_k: Count | None = None
    """Number of likeliest tokens to draw from; None: all."""
    top_p: TopP = 1.0
    """Sum of probabilities: the fewest likeliest tokens that reach it are drawn from."""
    repetition_penalty: Positive = 1.0
    """Factor, above 1, by which logits of tokens already in the text are made smaller; 1: none.

    Source: Keskar et al. 2019, https://arxiv.org/abs/1909.05858, section 4.1."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)

    @property
    def name(self) -> str:
        """The settings in words, without those at their defaults."""
        words = ["greedy" if self.temperature == 0 else f"temperature {self.temperature:g}"]
        if self.top_k is not None and self.temperature:
            words.append(f"top-k {self.top_k}")
        if self.top_p < 1 and self.temperature:
            words.append(f"top-p {self.top_p:g}")
        if self.repetition_penalty != 1:
            words.append(f"repetition penalty {self.repetition_penalty:g}")
        return ", ".join(words)


DECODER_TABLE: Final = tuple(
    Decoding(temperature=temperature) for temperature in (0.0, 0.2, 0.5, 0.75, 0.95, 1.0)
)
"""The decoders that samples of a checkpoint are written with: from greedy to most random."""


def choose_token(
    logits_V: Tensor, text: Sequence[int], decoding: Decoding, random: torch.Generator
) -> int:
    """Return the next token.

    Args:
        logits_V: logits of the next token, float32, on the CPU; not changed.
        text: tokens so far, prompt included, for the repetition penalty.
        decoding: settings by which to choose.
        random: generator that a draw takes its randomness from; not used by a greedy choice.
    """
    if decoding.repetition_penalty != 1:
        logits_V = _penalise(logits_V, text, decoding.repetition_penalty)
    if decoding.temperature == 0:
        return int(logits_V.argmax())
    logits_V = logits_V / decoding.temperature
    if decoding.top_k is not None and decoding.top_k < len(logits_V):
        kept = logits_V.topk(decoding.top_k)
        logits_V = torch.full_like(logits_V, -torch.inf).scatter(0, kept.indices, kept.values)
    shares_V = logits_V.softmax(0)
    if decoding.top_p < 1:
        shares_V = _nucleus(shares_V, decoding.top_p)
    return int(torch.multinomial(shares_V, 1, generator=random))


def _penalise(logits_V: Tensor, text: Sequence[int], penalty: float) -> Tensor:
    seen = torch.tensor(sorted(set(text)))
    logits = logits_V[seen]
    return logits_V.scatter(0, seen, torch.where(logits > 0, logits / penalty, logits * penalty))


def _nucleus(shares_V: Tensor, top_p: float) -> Tensor:
    """Return the shares with all but the nucleus at 0.

    Source: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751.
    """
    sorted_V, order_V = shares_V.sort(descending=True)
    # A token is out where those likelier than it reach top_p without it: the first is always in.
    out_V = sorted_V.cumsum(0) - sorted_V >= top_p
    return shares_V.scatter(0, order_V[out_V], 0.0)
