"""A results folder written by hand with Polars and PyArrow, in the shape a real sweep leaves.

Losses follow a made-up law (a floor, a term in parameters, a term in tokens, a bowl in the
learning rate), so tests know which settings must matter; the engine takes no part.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.sweeps.store.tables import REPORTS, TABLES, TRIALS
from tests.analysis.asked.rows import every_answer

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"
"""Markup that must stay text wherever it stands."""
MIN_TOKENS = 65_536
FACTOR = 3
RUNGS = 4
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SPACES: dict[str, dict[str, list[Any]]] = {
    "kgram": {
        "context_size": [1, 2, 3, 5],
        "embed_size": [32, 64, 128],
        "activation": ["relu", "gelu"],
    },
    "lstm": {"num_layers": [1, 2], "hidden_size": [64, 128], "dropout": [0.0, 0.1]},
    "transformer": {
        "num_layers": [1, 2, 4],
        "embed_size": [64, 128],
        "num_heads": [2, 4],
        "position": ["learned", "rotary"],
    },
    "linear_transformer": {"num_layers": [1, 2, 4], "embed_size": [64, 128], "num_heads": [2, 4]},
}
FLOORS = {"kgram": 3.6, "lstm": 2.9, "transformer": 2.55, "linear_transformer": 2.7}


@dataclass
class Rows:
    """The tables while they are being written; incidents follow from failed trials."""

    trials: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)


IN_WORDS = ["a text: 12 documents.", "A trial that reaches the last rung reads it 3 times."]


FORMATS = [
    {"num_params": 31_000, "tokens": 1024, "taken": "fp32",
     "seconds": {"fp32": 0.008, "bf16": 0.016}},
    {"num_params": 6_400_000, "tokens": 1024, "taken": "bf16",
     "seconds": {"fp32": 0.42, "bf16": 0.14}},
]  # fmt: skip
"""Two configurations whose number formats were measured."""


def num_params(architecture: str, settings: dict[str, Any]) -> int:
    """A plausible parameter count."""
    width = settings.get("embed_size", settings.get("hidden_size", 64))
    layers = settings.get("num_layers", 1)
    body = {"kgram": settings.get("context_size", 1), "lstm": 8}.get(architecture, 12)
    return int(2048 * width + layers * body * width * width)


def true_loss(architecture: str, settings: dict[str, Any], tokens: float) -> float:
    """Expected validation loss after `tokens` tokens."""
    rate = math.log10(settings["learning_rate"] / 2e-3)
    size = num_params(architecture, settings)
    gelu = -0.05 if settings.get("activation") == "gelu" else 0.0
    context = -0.12 * math.log(settings.get("context_size", 1))
    return (
        FLOORS[architecture] + gelu + context + 0.35 * rate**2
        + 9.0 * size**-0.25 + 45.0 * tokens**-0.4
    )  # fmt: skip


def write_sweep(
    folder: Path,
    *,
    name: str = "demo",
    trials_per_architecture: int = 12,
    architectures: tuple[str, ...] = tuple(SPACES),
    confirm_seeds: int = 3,
    seed: int = 0,
    noise: float = 0.02,
    shift: float = 0.0,
) -> Path:
    """Writes a whole sweep's folder and returns it."""
    rng = np.random.default_rng(seed)
    rows = Rows()
    clock = 0.0
    for architecture in architectures:
        for number in range(trials_per_architecture):
            settings = {
                key: values[rng.integers(len(values))]
                for key, values in SPACES[architecture].items()
            }
            settings["learning_rate"] = float(10 ** rng.uniform(-4, -2))
            cohort = "exempt" if number % 6 == 5 else "searched"
            fate = (
                "diverged"
                if number == 3
                else "failed"
                if (architecture, number) == ("lstm", 4)
                else ""
            )
            clock += 2.0
            _trial(rows, rng, name, architecture, settings, cohort, 0, fate, clock, noise, shift)
    for architecture in architectures:
        whole = [
            row
            for row in rows.trials
            if row["architecture"] == architecture and row["status"] == "completed"
        ]
        if whole:
            best = min(whole, key=lambda row: row["val_loss"])
            settings = {key: best[key] for key in [*SPACES[architecture], "learning_rate"]}
            for number in range(confirm_seeds):
                clock += 2.0
                _trial(
                    rows,
                    rng,
                    name,
                    architecture,
                    settings,
                    "confirm",
                    number + 1,
                    "",
                    clock,
                    noise,
                    shift,
                )
    write_tables(folder, rows)
    (folder / "spec.json").write_text(json.dumps(spec(name, architectures)))
    (folder / "precision.json").write_text(json.dumps({architectures[0]: FORMATS}))
    (folder / "environment.json").write_text(
        json.dumps({"python": "3.11.7", "torch": "2.13.0", "cpu_count": 2, "git_commit": "4f2c9e1"})
    )
    quality = {
        "kind": "bpe", "vocab_size": 2048, "num_texts": 50, "num_round_trips": 50,
        "num_broken_words": 0, "characters_per_token": 3.2, "bytes_per_token": 3.2,
        "used_fraction": 0.9,
    }  # fmt: skip
    (folder / "data.json").write_text(
        json.dumps({"tokenizer_quality": quality, "in_words": IN_WORDS})
    )
    return folder


def spec(name: str, architectures: tuple[str, ...]) -> dict[str, Any]:
    """A resolved spec as it lies beside the tables."""
    return {
        "name": name,
        "task": "language_modeling",
        "data": {
            "source": "stdlib",
            "tokenizer": {"kind": "bpe", "vocab_size": 2048},
            "block_size": 64,
        },
        "objectives": [{"metric": "val_loss", "goal": "minimize"}],
        "budget": {"unit": "tokens", "min": MIN_TOKENS, "factor": FACTOR, "rungs": RUNGS},
        "search": {"sampler": "tpe", "trials_per_architecture": 12, "seed": 0},
        "early_stopping": {"scheduler": "asha", "exempt_fraction": 0.1},
        "architectures": {
            name: {**SPACES[name], "learning_rate": {"log_uniform": [1e-4, 1e-2]}}
            for name in architectures
        },
    }


def _report(
    rng: np.random.Generator, row: dict[str, Any], rung: int | None, tokens: int, loss: float
) -> dict[str, Any]:
    seconds = tokens * row["flops_per_token"] / 6e10
    return {
        "trial_id": row["trial_id"], "rung": rung, "step": tokens // 2048, "tokens": tokens,
        "flops": tokens * row["flops_per_token"], "seconds": seconds,
        "train_loss": loss - 0.05, "val_loss": loss,
        "val_accuracy": 0.75 - 0.09 * loss + 0.004 * rng.standard_normal(),
        "suite_score": math.exp(-loss), "code_pass": math.exp(-2 * loss),
        "preference_accuracy": 1 - loss / 10, "reference_kl": loss / 20,
        "val_perplexity": math.exp(loss) if math.isfinite(loss) else math.nan,
        "bits_per_byte": loss / 2.1, "learning_rate": row["learning_rate"],
        "grad_norm": 1.5 * tokens**-0.1 * math.exp(0.2 * rng.standard_normal()),
        "grad_norm_clipped": min(1.0, 1.5 * tokens**-0.1), "weight_norm": 10 + tokens**0.2,
        "max_param_grad": 0.2 * math.exp(0.3 * rng.standard_normal()),
        "tokens_per_second": 6e10 / row["flops_per_token"],
        "peak_memory_bytes": 200_000_000 + 16 * row["num_params"],
        "time": row["start_time"] + timedelta(seconds=seconds),
    }  # fmt: skip


def _trial(
    rows: Rows, rng: np.random.Generator, sweep: str, architecture: str, settings: dict[str, Any],
    cohort: str, seed: int, fate: str, clock: float, noise: float, shift: float,
) -> None:  # fmt: skip
    config = json.dumps({"architecture": architecture, **settings, "seed": seed}, sort_keys=True)
    trial_id = sha256(config.encode()).hexdigest()[:12]
    size = num_params(architecture, settings)
    flops_per_token = 6.0 * size
    start = START + timedelta(seconds=clock)
    offset = noise * rng.standard_normal() + shift
    row: dict[str, Any] = {
        "trial_id": trial_id, "sweep": sweep, "architecture": architecture, "status": "completed",
        "cohort": cohort, "seed": seed, "num_params": size, "flops_per_token": flops_per_token,
        "start_time": start, "node": "127.0.0.1", "device": "cpu", "num_attempts": 1,
        "config": config, "data_fingerprint": "d0", "tokenizer_fingerprint": "t0",
        "best_val_loss": None, **settings,
    }  # fmt: skip
    first = None
    for position in range(2 * RUNGS - 1):
        rung, between = divmod(position, 2)
        tokens = MIN_TOKENS * FACTOR**rung * (2 if between else 1)
        wobble = 0.3 * noise * rng.standard_normal()
        loss = true_loss(architecture, settings, tokens) + offset + wobble
        if fate == "diverged" and position == 2:
            loss = math.nan
        if fate == "failed" and position == 1:
            row |= {"status": "failed", "error": "RuntimeError: out of memory"}
            break
        report = _report(rng, row, None if between else rung, tokens, loss)
        rows.reports.append(report)
        shared = {key: report[key] for key in report if key in TRIALS.names and key != "rung"}
        row |= {**shared, "end_time": report["time"]}
        if not math.isfinite(loss):
            row["status"] = "diverged"
            break
        row["best_val_loss"] = min(loss, row["best_val_loss"] or loss)
        first = loss if first is None else first
        if between:
            continue
        row["rung"] = rung
        if rung == RUNGS - 1 or cohort == "confirm":
            continue
        cutoff = true_loss(architecture, {**settings, "learning_rate": 6e-3}, tokens)
        late = loss > cutoff
        action = "continue" if not late else "exempt" if cohort == "exempt" else "stop"
        rows.decisions.append({
            "trial_id": trial_id, "rung": rung, "milestone": tokens, "value": loss,
            "cutoff": cutoff, "action": action, "time": report["time"],
        })  # fmt: skip
        if action == "stop" and fate != "failed":
            row["status"] = "stopped"
            break
    rows.trials.append(row)
    if row["status"] == "completed" and cohort != "searched":
        for decoder in ("greedy", "temperature 0.75"):
            rows.samples.append({
                "trial_id": trial_id, "rung": RUNGS - 1, "step": row["step"], "decoder": decoder,
                "prompt": "def main(",
                "text": f"):\n    return {architecture}({row['val_loss']:.2f})",
            })  # fmt: skip


def write_tables(folder: Path, rows: Rows) -> None:
    """Writes the tables as Parquet, hyperparameters as further typed columns of `trials`."""
    settings = sorted({key for row in rows.trials for key in row} - set(TRIALS.names))
    extra = [(name, pa.array([row.get(name) for row in rows.trials])) for name in settings]
    trials = pa.Table.from_pylist(rows.trials, schema=TRIALS)
    for name, values in extra:
        trials = trials.append_column(name, values)
    incidents: list[dict[str, Any]] = [
        {"time": START, "kind": "interrupted", "text": "interrupted"},
        *(
            {"time": START, "trial_id": row["trial_id"], "kind": "failed", "text": row["error"]}
            for row in rows.trials
            if row["status"] == "failed"
        ),
    ]
    tables = {
        "incidents": pa.Table.from_pylist(incidents, schema=TABLES["incidents"]),
        "trials": trials,
        "reports": pa.Table.from_pylist(rows.reports, schema=REPORTS),
        "decisions": pa.Table.from_pylist(rows.decisions, schema=TABLES["decisions"]),
        "samples": pa.Table.from_pylist(rows.samples, schema=TABLES["samples"]),
        **{
            name: pa.Table.from_pylist(own, schema=TABLES[name])
            for name, own in every_answer(
                [row["trial_id"] for row in rows.trials if row["status"] == "completed"][:2]
            ).items()
        },
    }
    for name, table in tables.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name / "part-000000.parquet")
