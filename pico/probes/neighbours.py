"""What lies near a token in the model's own space: its nearest neighbours by angle.

Shape suffixes: N tokens asked for, V vocabulary, S size of a token's vector, K neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from picosweep.pico.field_checks import check_value, whole_number
from picosweep.pico.models.interface import LanguageModel


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A token near another one."""

    token: int
    similarity: float
    """Cosine of the angle between the two vectors, from -1 to 1."""


@torch.no_grad()
def nearest_tokens(
    model: LanguageModel, ids: Sequence[int], *, num_neighbours: int = 3
) -> list[list[Neighbour]]:
    """Return for each of `ids` the nearest other tokens, nearest first.

    The vectors are those of `model.token_vectors()`: the embedding, or for a K-gram model over
    one-hot tokens the newest token's rows of the first layer.

    Args:
        model: any language model.
        ids: token ids, such as those just generated.
        num_neighbours: neighbours of each token; fewer where the vocabulary has no more.

    Raises:
        ValueError: `num_neighbours` is below 1, an id is outside the vocabulary, or the model has
            no vector for each token.
    """
    check_value("num_neighbours", num_neighbours, whole_number(1))
    vectors_VS = functional.normalize(model.token_vectors().float(), dim=1)
    vocab_size = len(vectors_VS)
    for token in ids:
        if not 0 <= token < vocab_size:
            raise ValueError(f"token is {token}; allowed: 0 to {vocab_size - 1}")
    unique = sorted(set(ids))
    ids_N = torch.tensor(unique, dtype=torch.int64, device=vectors_VS.device)
    similarities_NV = vectors_VS[ids_N] @ vectors_VS.T
    similarities_NV.scatter_(1, ids_N.unsqueeze(1), -torch.inf)
    nearest = similarities_NV.topk(min(num_neighbours, vocab_size - 1), dim=1)
    found = {
        token: [
            Neighbour(token=near, similarity=similarity)
            for near, similarity in zip(tokens_K, similarities_K, strict=True)
        ]
        for token, tokens_K, similarities_K in zip(
            unique, nearest.indices.tolist(), nearest.values.tolist(), strict=True
        )
    }
    return [found[token] for token in ids]
