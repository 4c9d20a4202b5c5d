"""A quick measure of speed is near the true one, and loads no compiler."""

import subprocess
import sys

import pytest

from picosweep.pico.training import speed
from picosweep.pico.training.speed import tokens_per_second
from tests.pico.tiny_trials import tiny_trial


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon"])
def test_every_optimizer_has_a_speed(optimizer, tiny_data):
    """Those that are not AdamW's kind take real steps."""
    assert tokens_per_second(tiny_trial(optimizer=optimizer, accumulation=2), tiny_data) > 0


def test_the_quick_step_learns(tiny_data):
    """It is a training step: the loss falls as it does in training."""
    trial = tiny_trial("lstm", learning_rate=1e-2)
    losses = []

    class Spy(speed.find_task(trial.task)):
        def objective(self, batch):
            objective, loss = super().objective(batch)
            losses.append(float(loss))
            return objective, loss

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(speed, "find_task", lambda _: Spy)
        step = speed._step_of(trial, tiny_data, None)
        for _ in range(60):
            step()
    assert losses[-1] < losses[0] - 0.3


def test_steps_of_seconds_are_not_repeated(tiny_data, monkeypatch):
    """One tells enough, warmed up or not; its time is the speed."""
    taken = []
    clock = iter([0.0, 12.0, 12.0, 24.0])
    monkeypatch.setattr(speed, "_step_of", lambda *_: lambda: taken.append(1))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    trial = tiny_trial()
    assert tokens_per_second(trial, tiny_data) == trial.tokens_per_step / 12
    assert len(taken) == 1


def test_it_imports_no_compiler():
    """Which would take longer than all of the plan."""
    code = "import sys, picosweep.commands.plan; assert 'torch._dynamo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
