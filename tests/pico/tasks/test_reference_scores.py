"""What the reference says of pairs: computed once, to the bits that would be computed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from picosweep.pico.tasks.preference import _log_probabilities
from picosweep.pico.training.train import train
from tests.pico.tasks.test_preference import started, task_of
from tests.pico.tiny_trials import SMALL, numbers


@pytest.mark.parametrize("architecture", list(SMALL))
def test_what_is_kept_of_the_reference_is_what_would_be_computed(
    padded_data: Any, architecture: str, tmp_path: Path
) -> None:
    """To the same bits: in another order, by another process, and in a second epoch."""
    data = replace(padded_data, folder=tmp_path)
    trial, first = started(data, architecture, block_size=160)
    task = task_of(trial, data, first)
    size, count = task._pairs_per_step, len(task._train)
    order = np.random.default_rng(1).permutation(count)
    for some in (np.arange(count)[:size], order[:size], order[-size:]):
        batch = task._train.batch(some)
        with torch.no_grad():
            fresh, _ = _log_probabilities(task._reference, batch)
        assert torch.equal(task._references.of(batch), fresh)
        again = task_of(trial, data, first)
        again._references._compute = None  # type: ignore[assignment]
        assert torch.equal(again._references.of(batch), fresh)
    (file,) = (tmp_path / "reference").iterdir()
    file.write_bytes(b"cut off")
    assert torch.equal(task_of(trial, data, first)._references.of(batch), fresh)
    assert trial.preference is not None
    repeated = replace(trial, preference=replace(trial.preference, corruption="repeated"))
    sharp = replace(trial, preference=replace(trial.preference, beta=0.5))
    for other in (replace(trial, block_size=150), repeated, sharp, replace(trial, seed=1)):
        task_of(other, data, first)
    # Other rows, or others rejected; neither beta nor the seed changes what the reference says.
    assert len(list((tmp_path / "reference").iterdir())) == 3


def test_a_trial_with_kept_scores_is_the_trial_without(padded_data: Any, tmp_path: Path) -> None:
    """Every number of it, to the last bit; what lies beside the data may not be writable."""
    trial, first = started(padded_data, block_size=160, learning_rate=3e-3)
    found = []
    (tmp_path / "in_the_way").mkdir()
    (tmp_path / "in_the_way" / "reference").write_text("no folder")
    for folder in (None, tmp_path, tmp_path, tmp_path / "in_the_way"):
        data = replace(padded_data, folder=folder)
        found.append([numbers(r) for r in train(trial, data, report_steps=[1, 30], initial=first)])
    assert found[0] == found[1] == found[2] == found[3]
