"""Models from trials and from checkpoints: untrained, trained, or ready to be trained further."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_model_tensors,
    model_tensors,
)
from picosweep.pico.weights.lora import LoRAConfig, add_lora, merge_lora


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A checkpoint's model, and what the checkpoint says about it."""

    model: LanguageModel
    """In evaluation mode, on the CPU; a low-rank change is merged into the weights."""

    trial: TrialConfig
    """The configuration it was trained by."""

    step: int
    """Optimizer steps it was trained for."""

    vocab_size: int
    """Size of its vocabulary."""

    tokenizer_fingerprint: str
    """Which tokenizer's ids it reads and writes."""


def restore_model(checkpoint: bytes, *, block_size: int | None = None) -> TrainedModel:
    """Rebuild the model of a checkpoint; leave torch's random stream as it was.

    Args:
        checkpoint: what training wrote.
        block_size: tokens that the model is to read at once; None: as many as in training. Where
            each place has weights of its own, no other number fits.

    Raises:
        CheckpointError: the bytes are no checkpoint, or their weights do not fit the configuration.
        ValueError: the architecture is not known here.
    """
    read = Checkpoint.from_bytes(checkpoint)
    trial = TrialConfig.from_dict(read.section("trial"))
    vocab_size, fingerprint = read.state.get("vocab_size"), read.state.get("tokenizer_fingerprint")
    if not isinstance(vocab_size, int) or not isinstance(fingerprint, str):
        raise CheckpointError("a checkpoint that does not say what it was trained on")
    if block_size is not None:
        trial = replace(trial, block_size=block_size)
    with torch.random.fork_rng(devices=[]):
        model = untrained_model(trial, vocab_size)
    load_model_tensors(model, read.tensors)
    merge_lora(model)
    return TrainedModel(
        model=model.eval(),
        trial=trial,
        step=int(read.section("progress")["step"]),
        vocab_size=vocab_size,
        tokenizer_fingerprint=fingerprint,
    )


def starting_model(
    trial: TrialConfig, vocab_size: int, tokenizer_fingerprint: str, initial: bytes | None
) -> LanguageModel:
    """Return the model that a trial's first step finds, from torch's global random stream.

    Args:
        trial: configuration, whose `init_from` says which weights to start from, if any.
        vocab_size: size of the data's vocabulary.
        tokenizer_fingerprint: fingerprint of the tokenizer that made the data.
        initial: checkpoint to start from, needed where the trial has `init_from`.

    Raises:
        CheckpointError: `initial` is not what the trial says, or does not fit it.
    """
    if trial.init_from is None:
        return untrained_model(trial, vocab_size)
    found = None if initial is None else weights_fingerprint(initial)
    if initial is None or found != trial.init_from:
        raise CheckpointError(f"weights to start from: found {found}, not {trial.init_from}")
    source = restore_model(initial)
    if source.tokenizer_fingerprint != tokenizer_fingerprint:
        raise CheckpointError("the weights to start from were trained with another tokenizer")
    return untrained_model(trial, vocab_size, weights=model_tensors(source.model))


def untrained_model(
    trial: TrialConfig, vocab_size: int, *, weights: Mapping[str, Tensor] | None = None
) -> LanguageModel:
    """Build a trial's model with random weights, or the given ones under its low-rank change."""
    architecture = find_architecture(trial.architecture)
    model = architecture.build(trial.model, vocab_size, trial.block_size)
    if weights is not None:
        load_model_tensors(model, weights)
    training = trial.training
    if training.lora_rank is not None:
        add_lora(model, LoRAConfig(rank=training.lora_rank, alpha=training.lora_alpha))
    return model


def weights_fingerprint(checkpoint: bytes) -> str:
    """Return a hash of a checkpoint's weights and of nothing else, for `TrialConfig.init_from`.

    Raises:
        CheckpointError: the bytes are no checkpoint.
    """
    tensors = Checkpoint.from_bytes(checkpoint).tensors
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        if name.startswith("model."):
            tensor = tensors[name]
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
