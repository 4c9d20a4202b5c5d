"""Neurons that tell groups of texts apart: planted ones are found, and chance finds none."""

import numpy as np
import pytest
import torch

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes import neurons
from picosweep.pico.probes.neurons import (
    NoNeuronsError,
    TooFewTextsError,
    activations,
    explained_variance,
    neuron_scores,
)
from tests.pico import tiny_models

VOCABULARY = 12
WIDTHS = {
    "kgram": ({"num_inner_layers": 1, "hidden_size": 16, "chunk_size": 3}, [16, 16]),
    "lstm": ({"num_layers": 2, "hidden_size": 16, "embed_size": 8}, [16, 16]),
    "transformer": ({"num_layers": 2, "num_heads": 2, "embed_size": 16}, [64, 64]),
    "linear_transformer": ({"num_layers": 1, "num_heads": 2, "embed_size": 16}, [64]),
}


def build(architecture: str) -> LanguageModel:
    torch.manual_seed(0)
    return tiny_models.build(architecture, WIDTHS[architecture][0], VOCABULARY, 16)


def texts_of(tokens: range, number: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.choice(tokens, size=10).tolist() for _ in range(number)]


@pytest.mark.parametrize("architecture", list(WIDTHS))
def test_every_architecture_has_its_units(architecture: str) -> None:
    """As many as it is wide; a text's value is its own, whatever stands beside it."""
    model = build(architecture)
    texts = [[1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11]]
    kind, layers = activations(model, texts)
    assert kind
    assert [layer.shape for layer in layers] == [(3, width) for width in WIDTHS[architecture][1]]
    _, alone = activations(model, texts[2:])
    for layer, own in zip(layers, alone, strict=True):
        assert layer[2] == pytest.approx(own[0], abs=1e-6)
    assert model.training


def test_lstm_cells_are_those_of_the_state() -> None:
    """The mean over the cell states of the text so far."""
    model = build("lstm")
    _, layers = activations(model, [[1, 2, 3]])
    states = []
    for length in (1, 2, 3):
        _, (_, cell) = model.step(torch.tensor([[1, 2, 3][:length]]), model.init_cache(1))
        states.append(cell[:, 0])
    mean = torch.stack(states).mean(dim=0).detach().numpy()
    assert layers[0][0] == pytest.approx(mean[0], abs=1e-6)
    assert layers[1][0] == pytest.approx(mean[1], abs=1e-6)


@pytest.mark.parametrize("architecture", list(WIDTHS))
def test_groups_of_other_tokens_are_told_apart(architecture: str) -> None:
    """Even by untrained units: the tokens differ. The best is far above what chance gives."""
    groups = {"low": texts_of(range(1, 4), 20, 0), "high": texts_of(range(8, 12), 20, 1)}
    scores = neuron_scores(build(architecture), groups)
    best = scores.neurons[0]
    assert best.selectivity > 2 * best.chance
    assert best.p_value < 0.005
    assert scores.looked_at == sum(WIDTHS[architecture][1])
    assert scores.groups == {"high": 20, "low": 20}
    assert scores == neuron_scores(build(architecture), groups)


def test_groups_that_are_alike_are_told_apart_no_oftener_than_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chosen on one half they look good; on the other half 5 % of draws have a p below .05."""
    monkeypatch.setattr(neurons, "NUM_DEALT", 99)
    model = build("transformer")
    flattered, significant = [], 0
    for seed in range(60):
        groups = {
            "one": texts_of(range(1, 12), 12, 2 * seed),
            "other": texts_of(range(1, 12), 12, 2 * seed + 1),
        }
        scores = neuron_scores(model, groups, seed=seed)
        flattered.append(max(one.chosen_by for one in scores.neurons))
        significant += min(one.p_value for one in scores.neurons) <= 0.05
    assert np.mean(flattered) > 0.35
    assert significant <= 8  # 3 expected of 60; more than 8 in 0.4 % of such tests


def test_explained_variance_is_eta_squared() -> None:
    """All of it, none, and by hand between; a unit that never changes tells nothing."""
    label = np.array([0, 0, 1, 1])
    value = np.array([[0, 0, 0, 5.0], [0, 1, 1, 5.0], [1, 0, 2, 5.0], [1, 1, 3, 5.0]])
    assert explained_variance(value, label).tolist() == pytest.approx([1.0, 0.0, 0.8, 0.0])


def test_what_cannot_be_asked_is_told() -> None:
    """Too few texts, one group, or a module whose units are not known."""
    model = build("kgram")
    texts = texts_of(range(1, 4), 8, 0)
    with pytest.raises(TooFewTextsError, match="1 group; it takes two"):
        neuron_scores(model, {"a": texts})
    with pytest.raises(TooFewTextsError, match="b with 7 texts"):
        neuron_scores(model, {"a": texts, "b": texts[1:]})
    with pytest.raises(NoNeuronsError, match="Linear"):
        activations(torch.nn.Linear(1, 1), [[1]])  # type: ignore[arg-type]
