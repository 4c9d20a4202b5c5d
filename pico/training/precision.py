"""Number formats of the forward and backward pass: plain fp32, or autocast to bf16 or fp16."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from picosweep.pico.errors import FieldError
from picosweep.pico.training_config import PrecisionName

AUTOCAST_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """One trial's number format: the context of its forward pass, and scaling for fp16.

    Gradients of fp16 underflow, so the loss is scaled up before the backward pass and the gradients
    down after it; a step whose gradients overflowed is left out and the scale halved.

    Source: Micikevicius et al. 2018, "Mixed Precision Training".
    """

    def __init__(self, dtype: torch.dtype | None, device: torch.device, *, scaled: bool) -> None:
        self._dtype, self._device = dtype, device
        self._scaler = GradScaler(device.type) if scaled else None

    @classmethod
    def named(cls, name: PrecisionName, device: torch.device) -> "Precision":
        """Return the format of that name.

        Raises:
            ValueError: `auto`, which `pico.training.auto_precision` turns into one of the others,
                or `fp16` on a CPU, which lacks it for some layers and gains nothing from it.
        """
        if name == "auto" or (name == "fp16" and device.type == "cpu"):
            allowed = "fp32, bf16" if device.type == "cpu" else "fp32, bf16, fp16"
            allowed = f"{allowed} on {device.type}"
            raise FieldError(field="precision", found=name, allowed=allowed)
        return cls(AUTOCAST_DTYPES.get(name), device, scaled=name == "fp16")

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of one forward pass."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`, scaled where the format needs it."""
        scaled = loss if self._scaler is None else self._scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizers: list[Optimizer]) -> None:
        """Bring the gradients to their true size, before anything reads them."""
        if self._scaler is not None:
            for optimizer in optimizers:
                self._scaler.unscale_(optimizer)

    def step(self, optimizers: list[Optimizer]) -> None:
        """Step every optimizer, or with fp16 those whose gradients did not overflow."""
        if self._scaler is None:
            for optimizer in optimizers:
                optimizer.step()
            return
        for optimizer in optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Return the scaler's state in plain JSON types; empty without a scaler."""
        return dict(self._scaler.state_dict()) if self._scaler is not None else {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        if self._scaler is not None:
            self._scaler.load_state_dict(dict(state))
