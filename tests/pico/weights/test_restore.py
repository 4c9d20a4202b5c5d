from dataclasses import replace

import pytest
import torch

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint, CheckpointError
from picosweep.pico.weights.restore import restore_model, weights_fingerprint
from tests.pico.tiny_trials import numbers, tiny_trial


def trained(trial, data, steps=4, **kwargs):
    *_, last = train(trial, data, report_steps=[steps], **kwargs)
    return last, last.checkpoint()


def continued(trial, checkpoint, **fields):
    training = replace(trial.training, **fields)
    return replace(trial, training=training, init_from=weights_fingerprint(checkpoint))


@pytest.mark.parametrize("architecture", MODELS)
def test_restored_model_has_the_trained_weights(architecture, tiny_data):
    """A checkpoint alone gives back the configuration, the step and the weights."""
    trial = tiny_trial(architecture)
    _, checkpoint = trained(trial, tiny_data)
    before = torch.get_rng_state()
    restored = restore_model(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)
    assert (restored.trial, restored.step) == (trial, 4)
    assert restored.vocab_size == tiny_data.meta.vocab_size
    assert restored.tokenizer_fingerprint == tiny_data.meta.tokenizer_fingerprint
    assert not restored.model.training
    tensors = Checkpoint.from_bytes(checkpoint).tensors
    for name, tensor in restored.model.state_dict().items():
        assert torch.equal(tensor, tensors[f"model.{name}"])


def test_going_on_from_a_checkpoint_starts_at_its_loss(tiny_data):
    """A trial that starts from trained weights is at once where they were."""
    trial = tiny_trial(learning_rate=1e-2)
    first, checkpoint = trained(trial, tiny_data, steps=30)
    tuned = continued(trial, checkpoint, learning_rate=1e-6)
    report, _ = trained(tuned, tiny_data, steps=1, initial=checkpoint)
    assert report.val_loss == pytest.approx(first.val_loss, abs=1e-3)
    assert report.step == 1


@pytest.mark.parametrize("architecture", MODELS)
def test_lora_trains_the_change_alone(architecture, tiny_data):
    """With a rank, every weight of the checkpoint stays, and the merged model has learnt."""
    trial = tiny_trial(architecture)
    _, checkpoint = trained(trial, tiny_data)
    tuned = continued(trial, checkpoint, lora_rank=2, learning_rate=1e-2)
    last, after = trained(tuned, tiny_data, steps=20, initial=checkpoint)
    weights = {
        name.replace(".parametrizations.weight.original", ".weight"): tensor
        for name, tensor in Checkpoint.from_bytes(after).tensors.items()
        if name.startswith("model.") and not name.endswith((".down_RI", ".up_OR"))
    }
    for name, tensor in Checkpoint.from_bytes(checkpoint).tensors.items():
        if name.startswith("model."):
            assert torch.equal(weights[name], tensor), name
    merged = restore_model(after).model
    assert not torch.equal(merged.head.weight, restore_model(checkpoint).model.head.weight)
    x_BT = torch.arange(8).unsqueeze(0)
    assert merged(x_BT).isfinite().all()
    assert last.train_loss == last.train_loss


def test_lora_resumes_bit_for_bit_without_the_first_checkpoint(tiny_data):
    """All frozen weights travel in the checkpoint; the one it started from is not needed again."""
    trial = tiny_trial("transformer")
    _, checkpoint = trained(trial, tiny_data)
    tuned = continued(trial, checkpoint, lora_rank=2)
    steps = [2, 5]
    generator = train(tuned, tiny_data, report_steps=steps, initial=checkpoint)
    middle = next(generator).checkpoint()
    *_, whole = generator
    *_, resumed = train(tuned, tiny_data, report_steps=steps, checkpoint=middle)
    assert numbers(resumed) == numbers(whole)


def test_lora_checkpoint_can_be_gone_on_from(tiny_data):
    """What a low-rank change learnt is in the weights that the next trial starts from."""
    trial = tiny_trial()
    _, checkpoint = trained(trial, tiny_data)
    tuned = continued(trial, checkpoint, lora_rank=2, learning_rate=1e-2)
    second, after = trained(tuned, tiny_data, steps=20, initial=checkpoint)
    third = continued(trial, after, learning_rate=1e-6)
    report, _ = trained(third, tiny_data, steps=1, initial=after)
    assert report.val_loss == pytest.approx(second.val_loss, abs=1e-3)


def test_the_starting_weights_must_be_the_ones_named(tiny_data):
    """Other weights, or none, would be another trial."""
    trial = tiny_trial()
    _, checkpoint = trained(trial, tiny_data)
    _, other = trained(tiny_trial(seed=1), tiny_data)
    tuned = continued(trial, checkpoint)
    for initial in (None, other):
        with pytest.raises(CheckpointError, match="weights to start from"):
            trained(tuned, tiny_data, initial=initial)


def test_weights_of_another_tokenizer_are_refused(tiny_data):
    """Ids mean other tokens there."""
    trial = tiny_trial()
    _, checkpoint = trained(trial, tiny_data)
    meta = replace(tiny_data.meta, tokenizer_fingerprint="another")
    with pytest.raises(CheckpointError, match="tokenizer"):
        trained(continued(trial, checkpoint), replace(tiny_data, meta=meta), initial=checkpoint)


def test_fingerprint_is_of_the_weights_alone(tiny_data):
    """Clocks and counters do not change it; a weight does."""
    (_, one), (_, other) = (trained(tiny_trial(), tiny_data) for _ in range(2))
    assert one != other  # they took other times
    assert weights_fingerprint(one) == weights_fingerprint(other)
    _, longer = trained(tiny_trial(), tiny_data, steps=5)
    assert weights_fingerprint(longer) != weights_fingerprint(one)


def test_lora_needs_weights_to_start_from():
    """A low-rank change of random weights is refused."""
    with pytest.raises(ValueError, match="lora_rank"):
        tiny_trial(lora_rank=4)
