"""Training a stored trial again from its row, to see whether every number is the same."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picosweep.pico.training.process import prepare_process
from picosweep.pico.training.train import train
from picosweep.pico.trial import training_version
from picosweep.sweeps.data import data_of_trial
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.initial_weights import initial_checkpoint_of
from picosweep.sweeps.search.candidates import stored_trial
from picosweep.sweeps.search.own_code import has_changed
from picosweep.sweeps.spec.load import load_stored_spec
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.mirror import open_results
from picosweep.sweeps.store.reader import read_rows
from picosweep.sweeps.store.tables import OF_MACHINE


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A stored number that came out differently."""

    step: int
    column: str
    stored: float
    replayed: float


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Result of training a trial again."""

    trial_id: str
    num_reports: int
    differences: list[Difference]

    @property
    def same(self) -> bool:
        """Whether every number is the same, to the last bit."""
        return not self.differences


def replay(trial_id: str, *, results: str | Path = "results") -> Replay:
    """Train a trial again, on the kind of device that trained it, and compare every stored number.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no report, this version of the code or of the
            user's class trains it differently, or its data, initial weights or kind of device
            are not here.
    """
    local = open_results(results)
    folder, row = find_trial(trial_id, local)
    stored = json.loads(row["config"])
    version = training_version(stored["training"]["precision"])
    if stored["training_version"] != version:
        raise input_error(
            "the training code has changed since",
            where=str(folder),
            key=row["trial_id"],
            found=f"version {stored['training_version']}",
            allowed=f"version {version}",
        )
    if has_changed(stored, folder):
        raise input_error(
            f"the code of {stored['architecture']} has changed since",
            where=str(folder),
            key=row["trial_id"],
            hint="its numbers can only come again from the code that gave them",
        )
    reports = [r for r in read_rows(folder, "reports") if r["trial_id"] == row["trial_id"]]
    if not reports:
        raise input_error("this trial has no report to compare with", key=row["trial_id"])
    device = _device_of(row)
    trial = stored_trial(stored)
    spec, document = load_stored_spec(folder)
    data = data_of_trial(row, spec, document, local)
    initial = initial_checkpoint_of(trial, row["architecture"], spec, document, local)
    prepare_process()
    by_step = {report["step"]: report for report in reports}
    differences = []
    for again in train(trial, data, report_steps=sorted(by_step), initial=initial, device=device):
        differences += _compare(by_step[again.step], again.metrics())
    return Replay(trial_id=row["trial_id"], num_reports=len(reports), differences=differences)


def _device_of(row: Mapping[str, Any]) -> str:
    """Return the device that a trial was trained on; other hardware gives other last bits."""
    device = row["device"] or "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        raise input_error(
            f"this trial was trained on {device}, and this machine has none",
            key=row["trial_id"],
            hint="replay it where there is one: other hardware gives other last bits",
        )
    return str(device)


def _compare(stored: dict[str, Any], replayed: dict[str, Any]) -> list[Difference]:
    return [
        Difference(step=stored["step"], column=name, stored=stored[name], replayed=value)
        for name, value in replayed.items()
        if name not in OF_MACHINE and not _equal(stored[name], value)
    ]


def _equal(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))
