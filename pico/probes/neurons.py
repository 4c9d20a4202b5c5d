"""Which neurons tell groups of texts apart, on texts that they were not chosen by.

Ranking neurons and testing them on the same texts flatters them: with thousands to choose from,
some tell any two groups apart. So they are chosen on one half of the texts and measured on the
other, against what the best of as many gets where the texts' labels are dealt anew.

Sources: Antverg and Belinkov 2022, "On the Pitfalls of Analyzing Individual Neurons",
https://arxiv.org/abs/2110.07483; Westfall and Young 1993 for the largest of many under permutation.

Shape suffixes: N texts, U neurons, T time.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.kgram import KGram
from picosweep.pico.models.lstm import LSTM
from picosweep.pico.models.transformer import Transformer
from picosweep.pico.probes.attention import evaluating

NUM_CHOSEN: Final = 10
"""Neurons that are chosen on one half and measured on the other."""
NUM_DEALT: Final = 1999
"""Permutations of the labels."""
MIN_TEXTS: Final = 8
"""Texts that each group needs, half of them for each half."""

Floats = npt.NDArray[np.float64]


class NoNeuronsError(ValueError):
    """A model's hidden units are not known here."""


class TooFewTextsError(ValueError):
    """There are not enough groups, or not enough texts in one."""


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """One neuron that was chosen on the first half of the texts."""

    layer: int
    unit: int
    group: str
    """The group in whose texts it is most above, or below, the others."""
    higher: bool
    """Whether it is above."""
    chosen_by: float
    """Share of its variance that the groups explain on the half that it was chosen by."""
    selectivity: float
    """The same share on the other half."""
    chance: float
    """What the best of the chosen ones has on the other half with dealt labels: 95th percentile."""
    p_value: float
    """Share of dealings in which the best of the chosen ones is as selective as this one."""


@dataclass(frozen=True, kw_only=True)
class NeuronScores:
    """The neurons that tell groups apart best."""

    neurons: tuple[Neuron, ...]
    kind: str
    """What a neuron is in this architecture."""
    looked_at: int
    """Neurons among which they were chosen."""
    groups: dict[str, int]
    """Texts of each group, both halves."""


def neuron_scores(
    model: LanguageModel, groups: Mapping[str, Sequence[Sequence[int]]], *, seed: int = 0
) -> NeuronScores:
    """Find the neurons that tell groups of texts apart.

    A text's value of a neuron is its mean over the text's tokens.

    Args:
        model: a K-gram, LSTM or Transformer, on any device.
        groups: texts by group, as token ids, each at most a block.
        seed: of the halves and the dealings.

    Raises:
        NoNeuronsError: the model is another one.
        TooFewTextsError: there are not two groups with eight texts each.
    """
    small = [name for name, texts in groups.items() if len(texts) < MIN_TEXTS]
    if len(groups) < 2 or small:
        found = (
            f"{small[0]} with {len(groups[small[0]])} texts" if small else f"{len(groups)} group"
        )
        raise TooFewTextsError(f"{found}; it takes two groups of {MIN_TEXTS} texts each")
    names = sorted(groups)
    texts = [text for name in names for text in groups[name]]
    label_N = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
    kind, layers = activations(model, texts)
    value_NU = np.concatenate(layers, axis=1)
    random = np.random.default_rng(seed)
    first_N = _halves(label_N, random)
    chosen_by_U = explained_variance(value_NU[first_N], label_N[first_N])
    chosen = np.argsort(-chosen_by_U, kind="stable")[:NUM_CHOSEN]
    other_NU, other_N = value_NU[~first_N][:, chosen], label_N[~first_N]
    selectivity_U = explained_variance(other_NU, other_N)
    dealt = np.array(
        [explained_variance(other_NU, random.permutation(other_N)).max() for _ in range(NUM_DEALT)]
    )
    edges = np.cumsum([0, *(layer.shape[1] for layer in layers)])
    neurons = []
    for place, unit in enumerate(chosen):
        layer = int(np.searchsorted(edges, unit, side="right")) - 1
        group, higher = _stands_out(other_NU[:, place], other_N)
        as_selective = np.count_nonzero(dealt >= selectivity_U[place])
        neurons.append(
            Neuron(
                layer=layer,
                unit=int(unit - edges[layer]),
                group=names[group],
                higher=higher,
                chosen_by=float(chosen_by_U[unit]),
                selectivity=float(selectivity_U[place]),
                chance=float(np.quantile(dealt, 0.95)),
                p_value=float((1 + as_selective) / (1 + NUM_DEALT)),
            )
        )
    return NeuronScores(
        neurons=tuple(sorted(neurons, key=lambda one: -one.selectivity)),
        kind=kind,
        looked_at=value_NU.shape[1],
        groups={name: len(groups[name]) for name in names},
    )


def explained_variance(value_NU: Floats, label_N: npt.NDArray[np.int64]) -> Floats:
    """Return which share of each neuron's variance lies between groups (eta squared), `[U]`.

    A neuron that never changes has 0.
    """
    centred_NU = value_NU - value_NU.mean(axis=0)
    total_U = (centred_NU**2).sum(axis=0)
    between_U = np.zeros(value_NU.shape[1])
    for label in np.unique(label_N):
        own = centred_NU[label_N == label]
        between_U += len(own) * own.mean(axis=0) ** 2
    constant_U = total_U <= 1e-12 * np.maximum(1.0, (value_NU**2).sum(axis=0))
    shares_U: Floats = np.where(constant_U, 0.0, between_U / np.where(constant_U, 1.0, total_U))
    return shares_U


def _halves(label_N: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which texts are in the first half: half of each group."""
    first_N = np.zeros(len(label_N), dtype=bool)
    for label in np.unique(label_N):
        places = random.permutation(np.flatnonzero(label_N == label))
        first_N[places[: len(places) // 2]] = True
    return first_N


def _stands_out(value_N: Floats, label_N: npt.NDArray[np.int64]) -> tuple[int, bool]:
    """Return the group that is furthest from the others, and whether it is above them."""
    apart = [
        value_N[label_N == label].mean() - value_N[label_N != label].mean()
        for label in np.unique(label_N)
    ]
    group = int(np.argmax(np.abs(apart)))
    return group, bool(apart[group] > 0)


class _Watches(Protocol):
    def __call__(self, model: LanguageModel, ids_BT: Tensor) -> list[Tensor]:
        """Return each layer's hidden units `[B, T, U]`."""


def activations(model: LanguageModel, texts: Sequence[Sequence[int]]) -> tuple[str, list[Floats]]:
    """Return what a neuron is here, and each layer's mean activation for each text, `[N, U]`.

    Raises:
        NoNeuronsError: the model's hidden units are not known.
    """
    for architecture, (kind, watch) in _WATCHES.items():
        if isinstance(model, architecture):
            return kind, _means(model, texts, watch)
    raise NoNeuronsError(f"{type(model).__name__} has no hidden units that are known here")


@torch.no_grad()
def _means(model: LanguageModel, texts: Sequence[Sequence[int]], watch: _Watches) -> list[Floats]:
    """Return each layer's means; texts of one length are read together."""
    device = model.token_vectors().device
    by_length: dict[int, list[int]] = {}
    for place, text in enumerate(texts):
        by_length.setdefault(len(text), []).append(place)
    rows: dict[int, list[Floats]] = {}
    with evaluating(model):
        for places in by_length.values():
            for start in range(0, len(places), 64):
                some = places[start : start + 64]
                ids_BT = torch.tensor([list(texts[place]) for place in some], device=device)
                layers = [h.float().mean(dim=1).double().cpu() for h in watch(model, ids_BT)]
                for row, place in enumerate(some):
                    rows[place] = [layer[row].numpy() for layer in layers]
    return [
        np.stack([rows[place][layer] for place in range(len(texts))])
        for layer in range(len(rows[0]))
    ]


def _inputs_of(model: LanguageModel, modules: Sequence[nn.Module], ids_BT: Tensor) -> list[Tensor]:
    """Return what each module is given while the model reads, pieces joined along time."""
    given: list[list[Tensor]] = [[] for _ in modules]

    def keep(place: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _module, inputs: given[place].append(inputs[0])

    with ExitStack() as hooks:
        for place, module in enumerate(modules):
            handle = module.register_forward_pre_hook(keep(place))
            hooks.callback(handle.remove)
        model(ids_BT)
    return [torch.cat(pieces, dim=1) for pieces in given]


def _mlp_neurons(model: LanguageModel, ids_BT: Tensor) -> list[Tensor]:
    assert isinstance(model, Transformer)
    return _inputs_of(model, [block.mlp.down for block in model.blocks], ids_BT)  # type: ignore[union-attr,misc]


def _hidden_units(model: LanguageModel, ids_BT: Tensor) -> list[Tensor]:
    assert isinstance(model, KGram)
    return _inputs_of(model, [*model.inner, model.head], ids_BT)


def _cells(model: LanguageModel, ids_BT: Tensor) -> list[Tensor]:
    """Return the cell state after each token, which only reading token by token shows."""
    cache = model.init_cache(len(ids_BT))
    cells_LBTH = []
    for time in range(ids_BT.shape[1]):
        _, cache = model.step(ids_BT[:, time : time + 1], cache)
        cells_LBTH.append(cache[1])
    return list(torch.stack(cells_LBTH, dim=2))


_WATCHES: Final[Mapping[type[LanguageModel], tuple[str, _Watches]]] = {
    Transformer: ("MLP neurons, after the activation", _mlp_neurons),
    LSTM: ("LSTM cells", _cells),
    KGram: ("hidden units", _hidden_units),
}
