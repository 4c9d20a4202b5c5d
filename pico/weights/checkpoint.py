"""Checkpoints: safetensors bytes that hold the tensors, with the rest as JSON in their metadata.

Nothing is pickled, so a checkpoint from elsewhere can be opened without running its code.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

FORMAT = "picosweep-checkpoint-1"


class CheckpointError(ValueError):
    """The bytes are no checkpoint, or one of another trial, data set or version."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint: its tensors, and all else as plain JSON types."""

    tensors: Mapping[str, Tensor]
    """`model.<name>`, `optimizer.<parameter>.<state>`, `rng.<device>`."""

    state: Mapping[str, object]
    """Plain JSON types: the trial's configuration, counters, fingerprints."""

    def to_bytes(self) -> bytes:
        """Serialise the checkpoint; equal checkpoints give equal bytes."""
        metadata = {"format": FORMAT, "state": json.dumps(self.state, sort_keys=True)}
        tensors = {name: t.detach().contiguous() for name, t in self.tensors.items()}
        return safetensors.torch.save(tensors, metadata=metadata)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Read what `to_bytes` wrote; the tensors lie on the CPU.

        Raises:
            CheckpointError: the bytes are not such a checkpoint.
        """
        try:
            (header_size,) = struct.unpack_from("<Q", data)
            metadata = json.loads(data[8 : 8 + header_size])["__metadata__"]
            if metadata["format"] != FORMAT:
                raise CheckpointError(f"checkpoint format {metadata['format']!r}, not {FORMAT!r}")
            return cls(tensors=safetensors.torch.load(data), state=json.loads(metadata["state"]))
        except (struct.error, UnicodeDecodeError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError("not a checkpoint of this package, or a damaged one") from error
        except json.JSONDecodeError as error:
            raise CheckpointError("a checkpoint with a damaged header") from error

    def section(self, name: str) -> dict[str, Any]:
        """Return one mapping of the state.

        Raises:
            CheckpointError: the state has no mapping of that name.
        """
        value = self.state.get(name)
        if not isinstance(value, dict):
            raise CheckpointError(f"a checkpoint without {name!r}")
        return value


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and saved buffers by name, a shared one once."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        # Two names of one tied weight share their storage, which safetensors refuses.
        if tensor.numel() == 0 or tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[f"model.{name}"] = tensor
    return tensors


@torch.no_grad()
def load_model_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights into a model of the same shape, in place.

    Raises:
        CheckpointError: names or shapes do not fit the model.
    """
    targets = model_tensors(model)
    saved = {name: t for name, t in tensors.items() if name.startswith("model.")}
    wrong = set(targets) ^ set(saved)
    wrong |= {n for n in set(targets) & set(saved) if targets[n].shape != saved[n].shape}
    if wrong:
        raise CheckpointError(f"weights that do not fit the model: {', '.join(sorted(wrong))}")
    for name, target in targets.items():
        target.copy_(saved[name])


def optimizer_tensors(model: nn.Module, optimizers: list[Optimizer]) -> dict[str, Tensor]:
    """Return every optimizer's state by parameter name; each parameter has one optimizer."""
    tensors = {}
    for name, parameter in model.named_parameters():
        for optimizer in optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{name}.{key}"] = value
    return tensors


def load_optimizer_tensors(
    model: nn.Module, optimizers: list[Optimizer], tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` returned, on each parameter's own device."""
    owner = {
        id(p): optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for p in group["params"]
    }
    parameters = dict(model.named_parameters())
    for full_name, value in tensors.items():
        if full_name.startswith("optimizer."):
            name, _, key = full_name.removeprefix("optimizer.").rpartition(".")
            parameter = parameters[name]
            owner[id(parameter)].state[parameter][key] = value.to(parameter.device)


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's global generators that training on `device` draws from."""
    tensors = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def load_random_tensors(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put torch's global generators back where `random_tensors` found them."""
    torch.set_rng_state(tensors["rng.cpu"])
    if device.type == "cuda" and "rng.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng.cuda"], device)
