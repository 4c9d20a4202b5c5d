"""Checks that a model does what training relies on: shapes, causality, repeatability.

Shape suffixes: B batch, T time, V vocabulary.
"""

import torch
from torch import Tensor

from picosweep.pico.models.interface import LanguageModel

TOLERANCE = 1e-4
"""How far logits may move, relative to the largest, where nothing they may see has changed."""


def check_model(model: LanguageModel, name: str, vocab_size: int, block_size: int) -> None:
    """Check a freshly built model; leave its training mode and the random stream as they were.

    Args:
        model: freshly built model, its weights on any device.
        name: name of the model in messages.
        vocab_size: number of token ids, V.
        block_size: tokens in the longest text that it must read.

    Raises:
        ValueError: the model cannot read ids, or its logits are no float tensor of shape
            `[B, T, V]`, are not finite, differ between two calls, or depend on a later token or
            on another row of the batch.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            ids_BT = (torch.arange(2 * block_size, device=device) * 7919 % vocab_size).view(2, -1)
            whole_BTV = _logits(model, name, ids_BT, vocab_size)
            if _moved(whole_BTV, _logits(model, name, ids_BT, vocab_size)):
                raise ValueError(
                    f"{name} gives other logits for the same ids in evaluation mode; allowed:"
                    " the same ones"
                )
            _check_causality(model, name, ids_BT, whole_BTV)
            _check_rows(model, name, ids_BT, whole_BTV)
            _logits(model, name, ids_BT[:, :1], vocab_size)
    finally:
        model.train(was_training)


def _logits(model: LanguageModel, name: str, ids_BT: Tensor, vocab_size: int) -> Tensor:
    shape = list(ids_BT.shape)
    try:
        logits_BTV = model(ids_BT)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{name} cannot read ids of shape {shape} ({reason})") from error
    expected = [*shape, vocab_size]
    found = list(logits_BTV.shape) if isinstance(logits_BTV, Tensor) else type(logits_BTV).__name__
    if found != expected or not logits_BTV.is_floating_point():
        kind = f"{logits_BTV.dtype} of shape {found}" if isinstance(found, list) else found
        raise ValueError(
            f"{name} returns {kind} for ids of shape {shape}; allowed: float logits of shape"
            f" {expected} (batch, time, vocabulary)"
        )
    if not logits_BTV.isfinite().all():
        raise ValueError(f"{name} returns logits that are not finite; allowed: finite ones")
    assert isinstance(logits_BTV, Tensor)
    return logits_BTV


def _check_causality(model: LanguageModel, name: str, ids_BT: Tensor, whole_BTV: Tensor) -> None:
    length, vocab_size = ids_BT.shape[1], whole_BTV.shape[2]
    for place in {1, length // 2, length - 1} - {0, length}:
        changed_BT = ids_BT.clone()
        changed_BT[:, place] = (changed_BT[:, place] + 1) % vocab_size
        changed_BTV = _logits(model, name, changed_BT, vocab_size)
        if _moved(whole_BTV[:, :place], changed_BTV[:, :place]):
            raise ValueError(
                f"{name} looks ahead: changing token {place} changes logits before it; allowed:"
                " logits at t that depend on tokens up to t"
            )


def _check_rows(model: LanguageModel, name: str, ids_BT: Tensor, whole_BTV: Tensor) -> None:
    for row in range(len(ids_BT)):
        alone_BTV = _logits(model, name, ids_BT[row : row + 1], whole_BTV.shape[2])
        if _moved(whole_BTV[row : row + 1], alone_BTV):
            raise ValueError(
                f"{name} mixes the rows of a batch (or takes the first axis for time); allowed:"
                " logits that depend on their own row only"
            )


def _moved(before: Tensor, after: Tensor) -> bool:
    scale = max(1.0, before.abs().max().item())
    return (before - after).abs().max().item() > TOLERANCE * scale
