"""What a model's table of tokens is like: principal components, and what they stand for.

Shape suffixes: V vocabulary, S size of a token's vector, C components.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from picosweep.pico.data.prepared import TokenArray
from picosweep.pico.models.interface import LanguageModel

NUM_COMPONENTS: Final = 8
NUM_BASELINES: Final = 5
"""Tables of the same numbers in another order that the components are held against."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class NoVectorsError(ValueError):
    """A model has no vector for each token."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One principal component."""

    number: int
    """From 1, the one that explains most first."""
    explained: float
    """Share of the table's variance."""
    baseline: float
    """The same of tables whose columns were dealt anew, each by itself: of no structure."""
    log_frequency: float | None
    """Pearson correlation of the tokens' places on it with the logarithm of their counts, over the
    tokens that occur in training; None where fewer than three do or all as often."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingComponents:
    """Principal components of a table, and each token's place on them."""

    components: tuple[Component, ...]
    places: Floats
    """Each token's place on each component, `[V, C]`."""
    counts: Ints
    """How often each token occurs in the training data, `[V]`; 0: it was never seen."""


def embedding_components(
    model: LanguageModel, counts_V: Ints, *, seed: int = 0
) -> EmbeddingComponents:
    """Return the principal components of a model's token vectors.

    The vectors are centred. The sign of a component is such that its largest weight (by absolute
    value) is positive: the same table gives the same signs. Where the vectors have more than one
    direction of the same variance, their order is arbitrary.

    Args:
        model: model whose `token_vectors` are looked at.
        counts_V: how often each token occurs in the training data.
        seed: of the baseline.

    Raises:
        NoVectorsError: the model has no vector for each token.
    """
    try:
        vectors = model.token_vectors()
    except ValueError as error:
        raise NoVectorsError(str(error)) from error
    table_VS: Floats = vectors.detach().double().cpu().numpy()
    centred_VS = table_VS - table_VS.mean(axis=0)
    explained_C, directions_SC = principal(centred_VS)
    places_VC: Floats = centred_VS @ directions_SC
    random = np.random.default_rng(seed)
    baselines = [principal(random.permuted(centred_VS, axis=0))[0] for _ in range(NUM_BASELINES)]
    baseline_C = np.mean(baselines, axis=0)
    return EmbeddingComponents(
        components=tuple(
            Component(
                number=place + 1,
                explained=float(explained_C[place]),
                baseline=float(baseline_C[place]),
                log_frequency=_log_frequency(places_VC[:, place], counts_V),
            )
            for place in range(len(explained_C))
        ),
        places=places_VC,
        counts=counts_V,
    )


def principal(centred_VS: Floats) -> tuple[Floats, Floats]:
    """Return shares of variance `[C]` and directions `[S, C]` of the first components, signs fixed.

    Raises:
        NoVectorsError: the table has no variance at all.
    """
    values_S, vectors_SS = np.linalg.eigh(centred_VS.T @ centred_VS)
    total = values_S.sum()
    if not total > 0:
        raise NoVectorsError("all token vectors are the same")
    number = min(NUM_COMPONENTS, *centred_VS.shape)
    explained_C: Floats = np.maximum(values_S[::-1][:number], 0) / total
    directions_SC: Floats = vectors_SS[:, ::-1][:, :number]
    largest_C = np.abs(directions_SC).argmax(axis=0)
    return explained_C, directions_SC * np.sign(directions_SC[largest_C, np.arange(number)])


def _log_frequency(place_V: Floats, counts_V: Ints) -> float | None:
    seen_V = counts_V > 0
    logs = np.log(counts_V[seen_V])
    if len(logs) < 3 or not np.ptp(logs) or not np.ptp(place_V[seen_V]):
        return None
    return float(np.corrcoef(place_V[seen_V], logs)[0, 1])


def token_counts(tokens: TokenArray, vocab_size: int) -> Ints:
    """Return how often each token occurs, taking the tokens piece by piece."""
    counts_V = np.zeros(vocab_size, dtype=np.int64)
    for start in range(0, len(tokens), 1 << 22):
        counts_V += np.bincount(tokens[start : start + (1 << 22)], minlength=vocab_size)
    return counts_V
