"""Scores of heads that look where they are known to look."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.head_scores import (
    head_scores,
    normalised_entropy,
    pattern_scores,
    repeated_tokens,
    uniform_scores,
)
from tests.pico import tiny_models


def looking_at(places: list[int], length: int) -> Tensor:
    """Weights `[1, 1, T, S]` of a head that looks at one place from each query."""
    weights = torch.zeros(1, 1, length, length)
    weights[0, 0, range(length), places] = 1
    return weights


def test_heads_that_do_one_thing_have_its_score_alone() -> None:
    """Exactly 1 for what they do, 0 for its neighbour, and a pattern is not changed by scoring."""
    half, length = 8, 16
    queries = range(length)
    patterns = {
        "previous": [max(0, t - 1) for t in queries],
        "first": [0 for _ in queries],
        "duplicate": [max(0, t - half) for t in queries],
        "induction": [max(0, t - half + 1) for t in queries],
    }
    for name, places in patterns.items():
        weights = looking_at(places, length)
        kept = weights.clone()
        scores = pattern_scores(weights)
        assert scores[name].item() == pytest.approx(1)
        assert torch.equal(weights, kept)
    induction = pattern_scores(looking_at(patterns["induction"], length))
    assert induction["duplicate"].item() == 0
    assert induction["previous"].item() == pytest.approx(1 / (length - 1))  # from the second query
    before = pattern_scores(looking_at(patterns["previous"], length))
    assert before["distance"].item() == pytest.approx((length - 1) / length)


def test_entropy_is_none_for_one_token_and_all_for_all_alike() -> None:
    """Over as many tokens as a query sees."""
    assert normalised_entropy(looking_at([0] * 6, 6)).item() == 0
    assert uniform_scores([32])["entropy"] == pytest.approx(1)


def test_a_head_that_looks_at_all_alike_has_the_harmonic_means() -> None:
    """What a score has to be held against: at 64 tokens 0.059, 0.059 and 0.021."""
    uniform = uniform_scores([32])
    query = torch.arange(1, 64)
    assert uniform["previous"] == pytest.approx((1 / (query + 1)).mean().item())
    assert uniform["first"] == pytest.approx(uniform["previous"])
    assert uniform["induction"] == pytest.approx((1 / (query[31:] + 1.0)).mean().item())
    assert uniform["induction"] == pytest.approx(0.021, abs=1e-3)
    assert uniform["previous"] == pytest.approx(0.059, abs=1e-3)


def test_tokens_come_twice_at_several_distances_and_once_in_each_half() -> None:
    """A head that always looks equally far back must not pass for one that knows the token."""
    model = tiny_models.build("transformer", {}, 20, 32)
    batches = repeated_tokens(model)
    assert [batch.shape for batch in batches] == [(16, 32), (16, 24), (16, 16)]
    for batch in batches:
        half = batch.shape[1] // 2
        assert torch.equal(batch[:, :half], batch[:, half:])
        assert all(len(set(row.tolist())) == half for row in batch[:, :half])
    assert all(
        torch.equal(one, other) for one, other in zip(batches, repeated_tokens(model), strict=True)
    )
    positional = pattern_scores(looking_at([max(0, t - 15) for t in range(24)], 24))
    assert positional["induction"].item() == 0
    with pytest.raises(ValueError, match="a block of 6 tokens"):
        repeated_tokens(tiny_models.build("transformer", {}, 20, 6))


@pytest.mark.parametrize("architecture", ["transformer", "linear_transformer"])
def test_every_head_is_scored_and_an_untrained_model_shows_nothing(architecture: str) -> None:
    """No head does more than looking at all alike, none is worth anything, no token is known."""
    torch.manual_seed(0)
    model = tiny_models.build(architecture, {"num_layers": 2, "num_heads": 2}, 20, 32)
    scores = head_scores(model)
    assert [(one.layer, one.head) for one in scores.heads] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for one in scores.heads:
        assert one.induction == pytest.approx(scores.uniform["induction"], abs=0.03)
        assert abs(one.loss_without) < 0.01
        assert (one.entropy is None) == (architecture == "linear_transformer")
    assert abs(scores.induction_gap) < 0.1
    assert scores == head_scores(model)


def trained_on_repetitions(num_layers: int) -> LanguageModel:
    """A transformer that has read 400 batches of random tokens that come twice."""
    vocabulary = 24
    options = {"num_layers": num_layers, "num_heads": 2, "embed_size": 32, "position": "learned"}
    torch.manual_seed(0)
    model = tiny_models.build("transformer", options, vocabulary, 24)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    draw = torch.Generator().manual_seed(0)
    for step in range(400):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 50)
        length = int(torch.randint(4, 13, (1,), generator=draw))
        order = torch.rand(64, vocabulary, generator=draw).argsort(dim=1)
        ids = order[:, :length].repeat(1, 2)
        losses = functional.cross_entropy(model(ids[:, :-1]).mT, ids[:, 1:], reduction="none")
        optimizer.zero_grad()
        losses[:, length - 1 :].mean().backward()
        optimizer.step()
    return model.eval()


@pytest.mark.slow
def test_induction_is_found_in_two_layers_and_not_in_one() -> None:
    """Looking for what followed a token needs the layer before to have seen what came before it."""
    two, one = (head_scores(trained_on_repetitions(layers)) for layers in (2, 1))
    best = max((head for head in two.heads if head.layer == 1), key=lambda head: head.induction)
    assert best.induction > 0.5
    assert best.loss_without > 0.1
    assert max(head.induction for head in two.heads if head.layer == 0) < 0.2
    assert max(head.induction for head in one.heads) < 0.3
    assert one.induction_gap < two.induction_gap - 1
