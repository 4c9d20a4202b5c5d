"""The head's loss in pieces against PyTorch's cross-entropy over all logits."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from picosweep.pico.models.layers import head_loss as module
from picosweep.pico.models.layers.head_loss import head_loss
from picosweep.pico.targets import IGNORED


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_value_and_gradients_are_torchs(
    monkeypatch: pytest.MonkeyPatch, bias: bool, smoothing: float, padded: bool, rows: int
) -> None:
    """Loss and gradients agree with PyTorch's, smoothed, padded, in pieces of any size."""
    monkeypatch.setattr(module, "PIECE_NUMBERS", rows * 11)
    head = nn.Linear(6, 11, bias=bias)
    features_NS = torch.randn(10, 6, requires_grad=True)
    targets_N = torch.randint(11, (10,))
    if padded:
        targets_N[::3] = IGNORED
    inputs = [features_NS, *head.parameters()]
    logits_NV = 3 * head(features_NS)
    expected = functional.cross_entropy(logits_NV, targets_N, label_smoothing=smoothing)
    grads = torch.autograd.grad(2 * expected, inputs)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(3)
    objective, nats = head_loss(features_NS, head, targets_N, label_smoothing=smoothing)
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(nats, functional.cross_entropy(logits_NV, targets_N).detach())
    got = torch.autograd.grad(2 * objective, inputs)
    torch.testing.assert_close(got[0], grads[0])
    for ours, theirs in zip(got[1:], grads[1:], strict=True):
        torch.testing.assert_close(3 * ours, theirs)


def test_micro_batches_add_up() -> None:
    """With one divisor, unevenly padded parts add up to the whole batch's loss."""
    head, features_NS = nn.Linear(6, 11), torch.randn(10, 6)
    targets_N = torch.randint(11, (10,))
    targets_N[:3] = IGNORED
    num_targets = (targets_N != IGNORED).sum()
    parts = [
        head_loss(features, head, targets, num_targets=num_targets)[0]
        for features, targets in zip(features_NS.split(5), targets_N.split(5), strict=True)
    ]
    torch.testing.assert_close(sum(parts), head_loss(features_NS, head, targets_N)[0])


def test_confident_wrong_answer_costs_its_distance() -> None:
    """Huge logits give a large loss, not infinity."""
    head = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1000.0], [0.0]]))
    objective, _ = head_loss(torch.ones(1, 1), head, torch.tensor([1]))
    assert objective.item() == 1000.0


def test_without_gradients_the_value_is_the_same() -> None:
    """Where no gradient is wanted none is made, and the loss is the same."""
    head, features_NS, targets_N = nn.Linear(6, 11), torch.randn(10, 6), torch.randint(11, (10,))
    with torch.no_grad():
        value, _ = head_loss(features_NS, head, targets_N)
    assert torch.equal(value, head_loss(features_NS, head, targets_N)[0])
