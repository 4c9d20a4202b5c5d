import pytest
import safetensors.torch
import torch
from torch import nn

from picosweep.pico.models.registry import MODELS
from picosweep.pico.weights.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_model_tensors,
    model_tensors,
)


def example():
    tensors = {"model.a": torch.arange(6).reshape(2, 3).T, "rng.cpu": torch.get_rng_state()}
    return Checkpoint(tensors=tensors, state={"progress": {"loss_sum": 0.1 + 0.2}, "x": None})


def test_round_trip_keeps_every_bit():
    """Tensors of any layout and floats of the state come back exactly."""
    again = Checkpoint.from_bytes(example().to_bytes())
    assert again.state == example().state
    assert torch.equal(again.tensors["model.a"], example().tensors["model.a"])


def test_any_safetensors_reader_opens_it():
    """A checkpoint is an ordinary safetensors file."""
    assert set(safetensors.torch.load(example().to_bytes())) == {"model.a", "rng.cpu"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PK\x03\x04 not this kind of file, but long enough",
        lambda data: data[:-5],
        lambda data: data[:20],
        lambda data: data[:8] + b"\xff" * (len(data) - 8),
        lambda data: (2**62).to_bytes(8, "little") + data[8:],
        lambda data: safetensors.torch.save({"a": torch.zeros(1)}),
        lambda data: safetensors.torch.save({"a": torch.zeros(1)}, metadata={"format": "pt"}),
        lambda data: data.replace(b"picosweep-checkpoint-1", b"picosweep-checkpoint-9"),
    ],
)
def test_damage_is_told_and_not_run(damage):
    """Whatever the bytes are, the error says that they are no checkpoint."""
    with pytest.raises(CheckpointError):
        Checkpoint.from_bytes(damage(example().to_bytes()))


def test_a_missing_section_is_told():
    """A header without what is needed is damage too."""
    with pytest.raises(CheckpointError, match="scaler"):
        example().section("scaler")


def test_tied_weights_are_saved_once():
    """Two names of one weight are one tensor in the file, and stay tied when loaded."""
    architecture = MODELS["transformer"]
    config = architecture.config_class(tied_head=True)
    one, other = (architecture.build(config, 32, 8) for _ in range(2))
    saved = Checkpoint(tensors=model_tensors(one), state={}).to_bytes()
    load_model_tensors(other, Checkpoint.from_bytes(saved).tensors)
    assert other.head.weight is other.embedding.weight
    assert torch.equal(one.head.weight, other.head.weight)


def test_weights_of_another_shape_are_named():
    """Weights that do not fit are refused by name, before any is copied."""
    tensors = model_tensors(nn.Linear(2, 3))
    model = nn.Linear(2, 4)
    before = model.weight.clone()
    with pytest.raises(CheckpointError, match=r"model\.bias, model\.weight"):
        load_model_tensors(model, tensors)
    assert torch.equal(model.weight, before)
