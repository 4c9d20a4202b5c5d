"""Choice of a number format by measuring: what is fastest depends on device, model and batch."""

import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Final

import torch

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training_config import PrecisionName
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.checkpoint import Checkpoint

WARM_UP_STEPS: Final = 3
TIMED_STEPS: Final = 8
LEAST_TIMED: Final = 2
LONG_SECONDS: Final = 3.0
"""After which no more steps are timed than the fewest: long ones vary little."""
LEAST_GAIN: Final = 1.05
"""A lower precision costs some quality, so it must be faster than noise could make it."""


def resolve_precision(
    trial: TrialConfig,
    data: PreparedData,
    *,
    device: str | torch.device = "cpu",
    checkpoint: bytes | None = None,
    initial: bytes | None = None,
) -> TrialConfig:
    """Return the trial with `auto` replaced by the format that trains fastest on this device.

    A trial's identity depends on the format that is found: resolve before hashing.

    Args:
        trial: configuration, returned as it is unless its precision is `auto`.
        data: prepared data that the measured steps train on.
        device: device to measure on.
        checkpoint: checkpoint of the same trial; its precision is taken without measuring. None:
            there is none yet.
        initial: checkpoint of another trial to start from, where the trial has `init_from`.
    """
    if trial.training.precision != "auto":
        return trial
    if checkpoint is not None:
        stored = TrialConfig.from_dict(Checkpoint.from_bytes(checkpoint).section("trial"))
        return _with_precision(trial, stored.training.precision)
    return _with_precision(trial, fastest(step_seconds(trial, data, device, initial)))


def step_seconds(
    trial: TrialConfig, data: PreparedData, device: str | torch.device, initial: bytes | None
) -> dict[PrecisionName, float]:
    """Return the seconds of a training step in each number format worth measuring."""
    return {
        name: _seconds_per_step(_with_precision(trial, name), data, device, initial)
        for name in candidates(torch.device(device))
    }


def fastest(seconds: Mapping[PrecisionName, float]) -> PrecisionName:
    """Return the fastest number format, or `fp32` where none is clearly faster."""
    name = min(seconds, key=lambda name: seconds[name])
    return name if seconds["fp32"] / seconds[name] >= LEAST_GAIN else "fp32"


def candidates(device: torch.device) -> tuple[PrecisionName, ...]:
    """Return the formats worth measuring: fp16 needs scaling, so only where bf16 is lacking."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ("fp32", "fp16")
    return ("fp32", "bf16")


def _with_precision(trial: TrialConfig, precision: PrecisionName) -> TrialConfig:
    return replace(trial, training=replace(trial.training, precision=precision))


def _seconds_per_step(
    trial: TrialConfig, data: PreparedData, device: str | torch.device, initial: bytes | None
) -> float:
    loop = TrainingLoop(trial, data, device=device, initial=initial)
    times: list[float] = []
    while len(times) < WARM_UP_STEPS + TIMED_STEPS:
        started = time.perf_counter()
        loop.advance(measure=True)  # waits for the device
        times.append(time.perf_counter() - started)
        if sum(times) > LONG_SECONDS and len(times) > LEAST_TIMED:
            return median(times[-LEAST_TIMED:])
    return median(times[WARM_UP_STEPS:])
