"""Principal components of token tables that are known."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from picosweep.pico.probes.embedding import (
    NoVectorsError,
    embedding_components,
    principal,
    token_counts,
)
from tests.pico import tiny_models


def model_with(table: np.ndarray) -> torch.nn.Module:
    """A transformer whose embedding is a table."""
    options = {"num_layers": 1, "num_heads": 1, "embed_size": table.shape[1]}
    model = tiny_models.build("transformer", options, len(table), 8)
    with torch.no_grad():
        model.token_vectors().copy_(torch.from_numpy(table))
    return model


def test_components_are_those_of_scikit_learn() -> None:
    """Shares of variance, and places up to the sign, which is fixed here."""
    table = np.random.default_rng(0).normal(size=(50, 12)) * np.linspace(3, 1, 12)
    found = embedding_components(model_with(table), np.ones(50, dtype=np.int64))
    known = PCA(n_components=8).fit(table.astype(np.float32))
    assert [one.explained for one in found.components] == pytest.approx(
        known.explained_variance_ratio_.tolist(), rel=1e-4
    )
    assert np.abs(found.places) == pytest.approx(np.abs(known.transform(table)), abs=1e-3)
    _, directions = principal(table - table.mean(axis=0))
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(8)]
    assert (largest > 0).all()
    _, mirrored = principal(-(table - table.mean(axis=0)))
    assert mirrored == pytest.approx(directions)


def test_a_planted_direction_stands_out_and_noise_does_not() -> None:
    """One component along which tokens lie by their counts; the others are as without structure."""
    random = np.random.default_rng(1)
    counts = np.arange(400, dtype=np.int64)
    table = random.normal(size=(400, 16))
    table += 3 * np.log1p(counts)[:, None] / 6 * random.normal(size=16)
    first, second, *_ = embedding_components(model_with(table), counts).components
    assert first.explained > 2 * first.baseline
    assert abs(first.log_frequency or 0) > 0.8
    assert second.explained < 1.5 * second.baseline
    assert abs(second.log_frequency or 0) < 0.3
    noise = random.normal(size=(400, 16))
    for one in embedding_components(model_with(noise), counts).components:
        assert one.explained == pytest.approx(one.baseline, rel=0.15)


def test_tokens_that_never_occur_do_not_count_for_frequency() -> None:
    """Where fewer than three occur, or all as often, there is no correlation to tell."""
    table = np.random.default_rng(2).normal(size=(10, 4))
    none = embedding_components(model_with(table), np.zeros(10, dtype=np.int64))
    assert {one.log_frequency for one in none.components} == {None}
    alike = embedding_components(model_with(table), np.full(10, 7))
    assert {one.log_frequency for one in alike.components} == {None}
    tokens = np.array([1, 1, 3], dtype="<u2")
    assert token_counts(tokens, 5).tolist() == [0, 2, 0, 1, 0]


def test_a_table_without_variance_has_no_components() -> None:
    """Said, not divided by."""
    with pytest.raises(NoVectorsError, match="all token vectors are the same"):
        embedding_components(model_with(np.ones((10, 4))), np.ones(10, dtype=np.int64))
