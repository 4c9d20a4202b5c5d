import pytest
import torch
from torch.nn import functional

from picosweep.pico.models.layers.head_loss import PIECE_NUMBERS
from picosweep.pico.models.registry import MODELS
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.language_loss import TrainingLoss, logits_loss, replace_tokens
from picosweep.pico.training_config import TrainingConfig


def random_case(seed, *, padded):
    generator = torch.Generator().manual_seed(seed)
    logits_NV = 5 * torch.randn(40, 17, generator=generator)
    y_N = torch.randint(17, (40,), generator=generator)
    if padded:
        y_N[::3] = IGNORED
    return logits_NV.requires_grad_(), y_N


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_value_and_gradient_are_those_of_torch(smoothing, padded):
    """The loss that makes its own gradient agrees with torch's, smoothed and padded."""
    logits_NV, y_N = random_case(0, padded=padded)
    expected = functional.cross_entropy(logits_NV, y_N, label_smoothing=smoothing)
    objective, nats = logits_loss(logits_NV, y_N, label_smoothing=smoothing)
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(nats, functional.cross_entropy(logits_NV, y_N).detach())
    # Scaled, as fp16 does it.
    (gradient,) = torch.autograd.grad(objective * 8, logits_NV)
    (expected_gradient,) = torch.autograd.grad(expected * 8, logits_NV)
    torch.testing.assert_close(gradient, expected_gradient)


def test_micro_batches_add_up():
    """With one divisor, unevenly padded parts give the whole batch's loss and gradient."""
    logits_NV, y_N = random_case(1, padded=False)
    y_N[:15] = IGNORED
    whole, _ = logits_loss(logits_NV, y_N, label_smoothing=0.1)
    (expected,) = torch.autograd.grad(whole, logits_NV)
    num_targets = (y_N != IGNORED).sum()
    parts = [
        logits_loss(logits, y, label_smoothing=0.1, num_targets=num_targets)[0]
        for logits, y in zip(logits_NV.split(10), y_N.split(10), strict=True)
    ]
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    torch.testing.assert_close(torch.autograd.grad(sum(parts), logits_NV)[0], expected)


def test_huge_logits_stay_finite():
    """A confident wrong answer costs its distance, not infinity."""
    logits_NV = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    objective, _ = logits_loss(logits_NV, torch.tensor([1]), label_smoothing=0.0)
    assert objective.item() == 1000.0
    objective.backward()
    assert logits_NV.grad.tolist() == [[1.0, -1.0]]


def test_no_token_dropout_draws_nothing():
    """Without token dropout the random stream is left alone."""
    x_BT = torch.arange(12).reshape(3, 4)
    before = torch.get_rng_state()
    assert replace_tokens(x_BT, 0.0) is x_BT
    assert torch.equal(torch.get_rng_state(), before)


def test_token_dropout_takes_tokens_from_the_batch():
    """About the given share is replaced, by tokens that the batch holds."""
    torch.manual_seed(0)
    x_BT = 7 + torch.arange(100).repeat(100, 1)
    replaced_BT = replace_tokens(x_BT, 0.3)
    changed = (replaced_BT != x_BT).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.02)
    assert set(replaced_BT.unique().tolist()) == set(x_BT.unique().tolist())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("architecture", MODELS)
def test_head_and_loss_in_pieces_agree_with_logits(architecture, smoothing):
    """Both ways to the loss give the same objective and gradients, in whole and in parts."""
    torch.manual_seed(0)
    found = MODELS[architecture]
    model = found.build(found.config_class(), 50, 8)
    x_BT, y_BT = torch.randint(50, (2, 4, 8))
    y_BT[0, 3:] = IGNORED
    config = TrainingConfig(label_smoothing=smoothing)
    results = []
    for num_logits in (1, PIECE_NUMBERS):
        loss = TrainingLoss(model, config, num_logits=num_logits)
        for num_targets in (None, torch.tensor(100)):
            objective, nats = loss(x_BT, y_BT, num_targets)
            gradients = torch.autograd.grad(objective, list(model.parameters()))
            results.append([objective.detach(), nats, *gradients])
    assert not results[0][1].requires_grad
    torch.testing.assert_close(results[0], results[2])
    torch.testing.assert_close(results[1], results[3])
