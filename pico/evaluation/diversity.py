"""How much texts repeat themselves and each other, in words."""

from collections.abc import Iterable, Sequence
from typing import Final

RUN: Final = 3
"""Words in a run that counts as repeated."""


def repetition(text: str) -> float:
    """Return the share of a text's three-word runs that occurred before; 0 for a short text."""
    runs = _runs(text, RUN)
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def distinct(texts: Iterable[str], length: int) -> float | None:
    """Return the number of different runs of words over that of all runs; None without any.

    It falls with the amount of text: compare only texts of as many words.

    Source: Li et al. 2016, https://arxiv.org/abs/1510.03055, section 5.2 (distinct-1, distinct-2).
    """
    runs = [run for text in texts for run in _runs(text, length)]
    return len(set(runs)) / len(runs) if runs else None


def cut_to_equal(texts: Sequence[str], others: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return both lists, each pair of texts cut to as many words as the shorter has."""
    pairs = [(one.split(), other.split()) for one, other in zip(texts, others, strict=True)]
    lengths = [min(len(one), len(other)) for one, other in pairs]
    cut = [
        (" ".join(one[:length]), " ".join(other[:length]))
        for (one, other), length in zip(pairs, lengths, strict=True)
    ]
    return [one for one, _ in cut], [other for _, other in cut]


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    split = text.split()
    return [tuple(split[index : index + length]) for index in range(len(split) - length + 1)]
