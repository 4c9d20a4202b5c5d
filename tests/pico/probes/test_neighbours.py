"""Nearest neighbours against a sort of all angles."""

import pytest
import torch

from picosweep.pico.models.registry import MODELS
from picosweep.pico.probes.neighbours import nearest_tokens


@pytest.mark.parametrize(
    ("architecture", "options"),
    [(name, {}) for name in MODELS] + [("kgram", {"input": "onehot"})],
    ids=str,
)
def test_neighbours_are_those_of_the_angles(architecture: str, options: dict[str, str]) -> None:
    """For every architecture the nearest are those of the largest cosines, the token itself out."""
    model = MODELS[architecture].build(MODELS[architecture].config_class(**options), 12, 4)
    vectors = model.token_vectors().detach()
    found = nearest_tokens(model, [3, 7, 3], num_neighbours=4)
    for token, neighbours in zip([3, 7, 3], found, strict=True):
        cosines = torch.cosine_similarity(vectors[token], vectors, dim=1)
        others = [other for other in cosines.argsort(descending=True).tolist() if other != token]
        assert [neighbour.token for neighbour in neighbours] == others[:4]
        for neighbour in neighbours:
            assert neighbour.similarity == pytest.approx(cosines[neighbour.token].item(), abs=1e-5)


def test_small_vocabulary_and_bad_ids() -> None:
    """A vocabulary smaller than asked gives all others; ids outside it are refused."""
    model = MODELS["lstm"].build(MODELS["lstm"].config_class(), 3, 4)
    assert [len(neighbours) for neighbours in nearest_tokens(model, [0], num_neighbours=9)] == [2]
    assert nearest_tokens(model, []) == []
    with pytest.raises(ValueError, match="token is 3; allowed: 0 to 2"):
        nearest_tokens(model, [3])
    with pytest.raises(ValueError, match="num_neighbours is 0"):
        nearest_tokens(model, [1], num_neighbours=0)
