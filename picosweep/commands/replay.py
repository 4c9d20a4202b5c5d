"""Training a stored trial again from its row, to see whether every number is the same."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training.process import prepare_process
from picosweep.pico.training.train import train
from picosweep.pico.trial import TRAINING_VERSION
from picosweep.sweeps.data import prepare_data
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.search.candidates import stored_trial
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.reader import read_rows

MEASURED: Final = frozenset(
    {"seconds", "training_seconds", "tokens_per_second", "peak_memory_bytes"}
)
"""Columns that depend on the machine's mood and may differ."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A number that came out otherwise."""

    step: int
    column: str
    stored: float
    replayed: float


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of training a trial again."""

    trial_id: str
    num_reports: int
    differences: list[Difference]

    @property
    def same(self) -> bool:
        """Whether every number is the same, to the last bit."""
        return not self.differences


def open_data(folder: Path, row: Mapping[str, Any], results: Path) -> PreparedData:
    """The prepared data of a trial, prepared again where it is no longer cached.

    Raises:
        InputError: the sweep's spec is missing, or the data is not what it was.
    """
    try:
        stored = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        del stored["comparable"]
        spec = Spec.model_validate(stored)
    except (OSError, ValueError, KeyError) as error:
        raise input_error("cannot be read", where=str(folder / "spec.json")) from error
    nowhere = Document(path=folder / "spec.json", content=stored, lines={})
    config = spec.data_config
    data = prepare_data(config, nowhere, results)
    if data.meta.fingerprint != row["data_fingerprint"] and config.tokenizer.kind == "bpe":
        # One of several vocabularies that the sweep searched.
        tokenizer = replace(config.tokenizer, vocab_size=row["vocab_size"])
        data = prepare_data(replace(config, tokenizer=tokenizer), nowhere, results)
    if data.meta.fingerprint != row["data_fingerprint"]:
        raise input_error(
            "the data is no longer what this trial was trained on",
            where=str(folder),
            found=data.meta.fingerprint,
            allowed=row["data_fingerprint"],
        )
    return data


def replay(trial_id: str, results: Path) -> Replay:
    """Train a trial again and compare every stored number.

    Raises:
        InputError: there is no such trial, or this version of the code trains it otherwise.
    """
    folder, row = find_trial(trial_id, results)
    stored = json.loads(row["config"])
    if stored["training_version"] != TRAINING_VERSION:
        raise input_error(
            "the training code has changed since",
            where=str(folder),
            key=row["trial_id"],
            found=f"version {stored['training_version']}",
            allowed=f"version {TRAINING_VERSION}",
        )
    reports = [r for r in read_rows(folder, "reports") if r["trial_id"] == row["trial_id"]]
    if not reports:
        raise input_error("this trial has no report to compare with", key=row["trial_id"])
    data = open_data(folder, row, results)
    prepare_process()
    by_step = {report["step"]: report for report in reports}
    differences = []
    for again in train(stored_trial(stored), data, report_steps=sorted(by_step)):
        differences += _compare(by_step[again.step], again.metrics())
    return Replay(trial_id=row["trial_id"], num_reports=len(reports), differences=differences)


def _compare(stored: dict[str, Any], replayed: dict[str, Any]) -> list[Difference]:
    return [
        Difference(step=stored["step"], column=name, stored=stored[name], replayed=value)
        for name, value in replayed.items()
        if name not in MEASURED and not _equal(stored[name], value)
    ]


def _equal(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))
