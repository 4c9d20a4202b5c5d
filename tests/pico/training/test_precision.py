import ctypes
import resource
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

import picosweep.pico.training.auto_precision
from picosweep.pico.training.auto_precision import candidates, resolve_precision
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.memory import keep_freed_memory, peak_memory_bytes, reset_peak_memory
from picosweep.pico.training.precision import Precision
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint
from tests.pico.tiny_trials import numbers, tiny_trial

CPU = torch.device("cpu")


def scaled_step(precision, weight_grad):
    """One optimizer step with that gradient; returns the weight and the gradient it used."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizers = [torch.optim.SGD(model.parameters(), lr=1.0)]
    precision.backward(model(torch.tensor([[weight_grad]])).sum())
    precision.unscale(optimizers)
    gradient = model.weight.grad.clone()
    precision.step(optimizers)
    return model.weight.item(), gradient.item()


def test_scaling_leaves_the_gradient_as_it_is():
    """Scaled up for the backward pass and down after it, a gradient is what it was."""
    precision = Precision(torch.float16, CPU, scaled=True)
    assert scaled_step(precision, 0.25) == (0.75, 0.25)


def test_overflow_skips_the_step_and_halves_the_scale():
    """A gradient that is not finite moves no weight, and the next one is scaled less."""
    precision = Precision(torch.float16, CPU, scaled=True)
    before = precision.state()["scale"]
    weight, _ = scaled_step(precision, float("inf"))
    assert weight == 1.0
    assert precision.state()["scale"] == before / 2


def test_scale_survives_a_checkpoint():
    """The scaler's state is plain and comes back."""
    precision = Precision(torch.float16, CPU, scaled=True)
    scaled_step(precision, float("inf"))
    again = Precision(torch.float16, CPU, scaled=True)
    again.load_state(precision.state())
    assert again.state() == precision.state()
    assert Precision(None, CPU, scaled=False).state() == {}


@pytest.mark.parametrize("name", ["fp16", "auto"])
def test_formats_that_a_cpu_cannot_take(name):
    """fp16 on a CPU, and `auto` where it should have been resolved, are refused by name."""
    with pytest.raises(ValueError, match=f"precision is '{name}'.*fp32, bf16"):
        Precision.named(name, CPU)


def test_fp16_trains_where_it_is_let(tiny_data, monkeypatch):
    """The whole loop works with scaling, sees true gradients, and resumes with its scale."""
    monkeypatch.setattr(
        Precision, "named", lambda _name, device: Precision(torch.float16, device, scaled=True)
    )
    trial = tiny_trial("kgram", optimizer="muon", precision="fp16")
    generator = train(trial, tiny_data, report_steps=[2, 4])
    first = next(generator)
    middle = first.checkpoint()
    (whole,) = generator
    (resumed,) = train(trial, tiny_data, report_steps=[2, 4], checkpoint=middle)
    assert numbers(resumed) == numbers(whole)
    scalers = [Checkpoint.from_bytes(r.checkpoint()).section("scaler") for r in (whole, resumed)]
    assert scalers[0] == scalers[1]
    assert scalers[0]["scale"] > 1
    monkeypatch.undo()
    plain = tiny_trial("kgram", optimizer="muon")
    assert first.grad_norm == pytest.approx(
        next(train(plain, tiny_data, report_steps=[2])).grad_norm, rel=0.01
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({"fp32": 1.0, "bf16": 0.5}, "bf16"), ({"fp32": 1.0, "bf16": 0.99}, "fp32")],
)
def test_auto_takes_what_is_clearly_faster(seconds, expected, tiny_data, monkeypatch):
    """A lower precision has to be faster by more than noise."""
    monkeypatch.setattr(
        picosweep.pico.training.auto_precision,
        "_seconds_per_step",
        lambda trial, *_: seconds[trial.training.precision],
    )
    resolved = resolve_precision(tiny_trial(precision="auto"), tiny_data)
    assert resolved == tiny_trial(precision=expected)


def test_auto_measures_and_trains(tiny_data):
    """`auto` ends in a format that exists, and what was measured changes no number."""
    trial = tiny_trial(precision="auto")
    generator = train(trial, tiny_data, report_steps=[2, 3])
    checkpoint = next(generator).checkpoint()
    (last,) = generator
    chosen = Checkpoint.from_bytes(checkpoint).section("trial")["training"]["precision"]
    assert chosen in candidates(CPU)
    plain = replace(trial, training=replace(trial.training, precision=chosen))
    *_, expected = train(plain, tiny_data, report_steps=[2, 3])
    assert numbers(last) == numbers(expected)
    (resumed,) = train(trial, tiny_data, report_steps=[2, 3], checkpoint=checkpoint)
    assert numbers(resumed) == numbers(last)


def test_a_named_precision_is_not_measured(tiny_data, monkeypatch):
    """Only `auto` costs anything."""
    monkeypatch.delattr(TrainingLoop, "advance")
    assert resolve_precision(tiny_trial(), tiny_data) == tiny_trial()


def test_peak_memory_is_of_this_trial():
    """A large array counts while it is there, and no longer after the peak was reset."""
    reset_peak_memory(CPU)
    start = peak_memory_bytes(CPU)
    array = torch.ones(40_000_000)
    high = peak_memory_bytes(CPU)
    assert high - start > 100_000_000
    del array
    reset_peak_memory(CPU)
    assert peak_memory_bytes(CPU) < high - 100_000_000


def fresh_pages(step: Callable[[], object]) -> int:
    """Return how many pages of memory the system hands out for 20 repetitions."""
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_kept_memory_serves_the_next_step():
    """Freed tensors of 4 MB cost no fresh pages, and count in no later trial's peak."""
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("the C library has no mallopt")
    keep_freed_memory()
    # 20 repetitions of 25 tensors of 1,024 pages each would be half a million fresh ones.
    assert fresh_pages(lambda: [torch.ones(2**20) for _ in range(25)]) < 50_000
    high = peak_memory_bytes(CPU)
    reset_peak_memory(CPU)
    assert peak_memory_bytes(CPU) < high - 50_000_000
