"""Number formats of the forward and backward pass: plain fp32, or autocast to bf16 or fp16."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from pico.training_config import PrecisionName

AUTOCAST_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """One trial's number format: the context of its forward pass, and scaling for fp16.

    Gradients of fp16 underflow, so the loss is scaled up before the backward pass and the gradients
    down after it; a step whose gradients overflowed is left out and the scale halved.

    Source: Micikevicius et al. 2018, "Mixed Precision Training".
    """

    def __init__(self, name: PrecisionName, device: torch.device) -> None:
        self._dtype = AUTOCAST_DTYPES.get(name)
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def autocast(self) -> AbstractContextManager[object]:
        """Makes the context for one forward pass and its loss."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of `loss`, scaled where the format needs it."""
        scaled = loss if self._scaler is None else self._scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizers: list[Optimizer]) -> None:
        """Brings the gradients to their true size: before anything looks at them."""
        if self._scaler is not None:
            for optimizer in optimizers:
                self._scaler.unscale_(optimizer)

    def step(self, optimizers: list[Optimizer]) -> None:
        """Steps every optimizer, or with fp16 none whose gradients overflowed."""
        for optimizer in optimizers:
            if self._scaler is None:
                optimizer.step()
            else:
                self._scaler.step(optimizer)
        if self._scaler is not None:
            self._scaler.update()

    def state(self) -> dict[str, object]:
        """Returns the scaler's state in plain JSON types; empty without one."""
        return dict(self._scaler.state_dict()) if self._scaler is not None else {}

    def load_state(self, state: dict[str, object]) -> None:
        """Puts back what `state` returned."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state)
