import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.language_evaluation import Evaluation, evaluate


class Table(nn.Module):
    """Logits by looking up the newest token; dropout shows whether it is evaluated as it should."""

    def __init__(self, logits_VV):
        super().__init__()
        self.logits_VV = nn.Parameter(logits_VV)
        self.dropout = nn.Dropout(0.9)

    def forward(self, ids_BT):
        return self.dropout(self.logits_VV)[ids_BT]


def one_batch(vocab_size=11, seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = Table(torch.randn(vocab_size, vocab_size, generator=generator))
    x_BT = torch.randint(vocab_size, (6, 8), generator=generator)
    y_BT = torch.randint(vocab_size, (6, 8), generator=generator)
    y_BT[:, 5:] = IGNORED
    return model, x_BT, y_BT


def test_metrics_are_those_of_the_definition():
    """Loss, accuracy and bits per byte over targets that are not padding."""
    model, x_BT, y_BT = one_batch()
    bytes_V = torch.arange(11)
    got = evaluate(model, [(x_BT, y_BT)], token_bytes_V=bytes_V)
    logits_NV, y_N = model.logits_VV[x_BT].flatten(0, 1), y_BT.flatten()
    counted = y_N != IGNORED
    loss = functional.cross_entropy(logits_NV[counted], y_N[counted]).item()
    right = (logits_NV.argmax(-1) == y_N)[counted].double().mean().item()
    assert got.loss == pytest.approx(loss)
    assert got.accuracy == pytest.approx(right)
    assert got.num_tokens == 30
    assert got.perplexity == pytest.approx(math.exp(loss))
    num_bytes = bytes_V[y_N[counted]].sum().item()
    assert got.bits_per_byte == pytest.approx(30 * loss / math.log(2) / num_bytes)


def test_means_weigh_targets_not_batches():
    """A short last batch counts by its targets."""
    model, x_BT, y_BT = one_batch()
    bytes_V = torch.ones(11)
    whole = evaluate(model, [(x_BT, y_BT)], token_bytes_V=bytes_V)
    parts = [(x_BT[:5], y_BT[:5]), (x_BT[5:], y_BT[5:])]
    split = evaluate(model, parts, token_bytes_V=bytes_V)
    assert split.loss == pytest.approx(whole.loss)
    assert split.accuracy == pytest.approx(whole.accuracy)


def test_equal_logits_are_a_guess():
    """A model that prefers nothing is right by chance, and its perplexity is the vocabulary."""
    model = Table(torch.zeros(4, 4))
    ids_BT = torch.tensor([[0, 1, 2, 3]])
    got = evaluate(model, [(ids_BT, ids_BT)], token_bytes_V=torch.ones(4))
    assert got.accuracy == pytest.approx(0.25)
    assert got.perplexity == pytest.approx(4.0)
    assert got.bits_per_byte == pytest.approx(2.0)


def test_training_mode_and_random_stream_are_kept():
    """Evaluation leaves the model's mode and the training's random numbers as they were."""
    model, x_BT, y_BT = one_batch()
    before = torch.get_rng_state()
    evaluate(model, [(x_BT, y_BT)], token_bytes_V=torch.ones(11))
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    model.eval()
    evaluate(model, [(x_BT, y_BT)], token_bytes_V=torch.ones(11))
    assert not model.training


def test_no_bytes_gives_no_bits_per_byte():
    """Targets that stand for no text have no bits per byte, and nothing divides by zero."""
    model, x_BT, y_BT = one_batch()
    assert math.isnan(evaluate(model, [(x_BT, y_BT)], token_bytes_V=torch.zeros(11)).bits_per_byte)


def test_perplexity_beyond_a_float_is_infinite():
    """A loss whose exponential no float holds does not raise."""
    got = Evaluation(loss=1e4, accuracy=0.0, bits_per_byte=1.0, num_tokens=1)
    assert got.perplexity == math.inf
