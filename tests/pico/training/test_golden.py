"""The first steps' metrics of each architecture, pinned: other numbers mean other training code.

Where a change of these numbers is meant, raise `pico.trial.TRAINING_VERSION`, so that no stored
result of the older code is taken for one of the newer, and write the file anew with
`PICOSWEEP_WRITE_GOLDEN=1 python -m pytest tests/pico/training/test_golden.py`.
"""

import json
import os
from pathlib import Path

import pytest

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training.train import TRAINING_VERSION, train
from tests.pico.tiny_trials import numbers, tiny_trial

GOLDEN = Path(__file__).parent / "golden" / "first_steps.json"
ADVICE = "training gives other numbers: raise TRAINING_VERSION and write the golden file anew"
TRIALS = {name: {"dropout": "some"} for name in MODELS} | {
    "kgram sgd smoothed": {"optimizer": "sgd", "label_smoothing": 0.1},
    "lstm adam dropped": {"optimizer": "adam", "token_dropout": 0.2},
    "transformer muon wsd": {"optimizer": "muon", "schedule": "wsd", "horizon_steps": 2},
    "linear_transformer accumulated": {"accumulation": 2, "warmup_steps": 4},
}


@pytest.mark.parametrize("name", TRIALS)
def test_first_steps_are_those_written_down(name, tiny_data):
    """Two steps of each architecture give the stored metrics, up to the rounding of a machine."""
    trial = tiny_trial(name.split()[0], **TRIALS[name])
    reports = [numbers(report) for report in train(trial, tiny_data, report_steps=[1, 2])]
    golden = json.loads(GOLDEN.read_text())
    if "PICOSWEEP_WRITE_GOLDEN" in os.environ:
        golden["training_version"], golden["reports"][name] = TRAINING_VERSION, reports
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
        return
    assert golden["training_version"] == TRAINING_VERSION, ADVICE
    for got, expected in zip(reports, golden["reports"][name], strict=True):
        # One target more or less is within rounding where two logits nearly tie.
        assert got.pop("val_accuracy") == pytest.approx(expected.pop("val_accuracy"), abs=4e-3)
        # Muon orthogonalises in bf16, which processors round in their own ways.
        rel = 1e-3 if trial.training.optimizer == "muon" else 2e-5
        assert got == pytest.approx(expected, rel=rel), ADVICE
