"""The same thirty trials for every tool: their configurations, the data, and how one is trained."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

SLOTS: Final = 2
RUNGS: Final = 3
FACTOR: Final = 3
EACH: Final = 10
"""Configurations of each architecture."""

DATA: Final[dict[str, Any]] = {
    "source": "pydocs",
    "tokenizer": {"kind": "char"},
    "block_size": 64,
}
SHAPES: Final[dict[str, dict[str, list[int]]]] = {
    "kgram": {"context_size": [2, 4, 8], "hidden_size": [64, 128, 256]},
    "lstm": {"hidden_size": [64, 96, 128], "num_layers": [1, 2]},
    "transformer": {"num_layers": [1, 2, 3], "num_heads": [2, 4]},
}


def settings() -> dict[str, list[dict[str, Any]]]:
    """Return ten settings of each architecture, always the same ones."""
    generator = np.random.default_rng(0)
    return {
        name: [
            {key: int(generator.choice(values)) for key, values in shape.items()}
            | {
                "learning_rate": float(10 ** generator.uniform(-3, -2)),
                "embed_size": int(generator.choice([32, 64])),
            }
            for _ in range(EACH)
        ]
        for name, shape in SHAPES.items()
    }


def spec(steps: int) -> dict[str, Any]:
    """Return them as a sweep: every one of them to the end, and nothing else.

    Args:
        steps: optimizer steps of a trial, a multiple of nine; it reports at a ninth and a third,
            too.
    """
    return {
        "name": "efficiency",
        "data": DATA,
        "budget": {
            "unit": "steps",
            "min": steps // 9,
            "factor": FACTOR,
            "rungs": RUNGS,
            "reports_per_rung": 1,
        },
        "search": {"sampler": "random", "trials_per_architecture": EACH, "enqueue": settings()},
        "early_stopping": {"scheduler": "none"},
        "common": {
            "learning_rate": {"log_uniform": [1e-3, 1e-2]},
            "embed_size": [32, 64],
            "batch_size": 16,
        },
        "architectures": SHAPES,
    }


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a tool is given."""

    trials: list[dict[str, Any]]
    """Configurations, complete, in the order in which they are to start."""
    data: str
    """Folder of the prepared data."""
    steps: int

    def write(self, path: Path) -> None:
        """Write it for the processes of a tool."""
        path.write_text(json.dumps(vars(self)))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Return what was written."""
        return cls(**json.loads(Path(path).read_text()))

    def train(self, number: int, log: str | Path) -> Iterator[tuple[int, float]]:
        """Train one trial in this process; yield step and validation loss of each report.

        Args:
            number: which.
            log: folder in which it is told how long that took, and how well it went.
        """
        from picosweep.pico.data.prepared import PreparedData
        from picosweep.pico.training.process import prepare_process
        from picosweep.pico.training.train import train
        from picosweep.pico.trial import TrialConfig

        prepare_process()
        started, loss = time.perf_counter(), float("nan")
        marks = [self.steps // 9, self.steps // 3, self.steps]
        trial = TrialConfig.from_dict(self.trials[number])
        for report in train(trial, PreparedData.open(Path(self.data)), report_steps=marks):
            loss = float(report.metrics()["val_loss"])
            yield report.step, loss
        told = {"seconds": time.perf_counter() - started, "val_loss": loss, "pid": os.getpid()}
        (Path(log) / f"{number}.json").write_text(json.dumps(told))
