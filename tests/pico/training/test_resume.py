import pytest
import torch

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint, CheckpointError
from tests.pico.tiny_trials import numbers, tiny_trial


def state_of(loop_or_report):
    """Everything in a checkpoint but the clock."""
    checkpoint = Checkpoint.from_bytes(loop_or_report.checkpoint())
    state = dict(checkpoint.state)
    state["progress"] = {k: v for k, v in state["progress"].items() if "seconds" not in k}
    return checkpoint.tensors, state


def assert_same_state(one, other):
    (tensors, state), (other_tensors, other_state) = state_of(one), state_of(other)
    assert state == other_state
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon"])
@pytest.mark.parametrize("architecture", MODELS)
def test_resumed_is_uninterrupted(architecture, optimizer, tiny_data):
    """From a report's checkpoint training goes on bit for bit, random streams included."""
    trial = tiny_trial(architecture, optimizer=optimizer, dropout="some", token_dropout=0.1)
    whole, middle = [], b""
    for report in train(trial, tiny_data, report_steps=[2, 4, 7]):
        whole.append(report)
        if report.step == 4:
            torch.rand(3)
            middle = report.checkpoint()
    resumed = list(train(trial, tiny_data, report_steps=[2, 4, 7], checkpoint=middle))
    assert [numbers(r) for r in resumed] == [numbers(whole[-1])]
    assert_same_state(resumed[-1], whole[-1])


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_resume_at_any_step(stop_at, tiny_data):
    """A stop between two reports keeps the running mean of the training loss."""
    trial = tiny_trial("lstm", dropout=0.2, schedule="cosine", horizon_steps=6)
    *_, whole = train(trial, tiny_data, report_steps=[2, 6])
    loop = TrainingLoop(trial, tiny_data)
    for step in range(1, stop_at + 1):
        loop.advance(measure=step == 2)
        if step == 2:
            loop.report()
    *_, resumed = train(trial, tiny_data, report_steps=[2, 6], checkpoint=loop.checkpoint())
    assert numbers(resumed) == numbers(whole)
    assert_same_state(resumed, whole)


def test_checkpointing_does_not_change_training(tiny_data):
    """A loop that is asked for checkpoints between steps trains like one that is not."""
    trial = tiny_trial("lstm", dropout=0.2)
    one, other = TrainingLoop(trial, tiny_data), TrainingLoop(trial, tiny_data)
    for loop in (one, other):
        for _ in range(4):
            loop.advance()
            if loop is one:
                loop.checkpoint()
    assert_same_state(one, other)


def test_seconds_go_on_counting(tiny_data):
    """Busy time survives a resume."""
    first, last = train(tiny_trial(), tiny_data, report_steps=[20, 21])
    loop_checkpoint = next(train(tiny_trial(), tiny_data, report_steps=[20])).checkpoint()
    (resumed,) = train(tiny_trial(), tiny_data, report_steps=[21], checkpoint=loop_checkpoint)
    assert last.seconds > first.seconds
    assert resumed.seconds > Checkpoint.from_bytes(loop_checkpoint).section("progress")["seconds"]


def test_a_finished_trial_has_nothing_left(tiny_data):
    """Resuming at the last step, or after divergence, yields nothing."""
    *_, last = train(tiny_trial(), tiny_data, report_steps=[3])
    assert not list(train(tiny_trial(), tiny_data, report_steps=[3], checkpoint=last.checkpoint()))
    wild = tiny_trial("transformer", learning_rate=1e30, grad_clip=None)
    *_, diverged = train(wild, tiny_data, report_steps=[100])
    checkpoint = diverged.checkpoint()
    assert not list(train(wild, tiny_data, report_steps=[200], checkpoint=checkpoint))


def test_a_longer_budget_goes_on_from_the_shorter(tiny_data):
    """Under a constant schedule the longer run passes through the shorter one's end."""
    *_, short = train(tiny_trial(), tiny_data, report_steps=[3])
    checkpoint = short.checkpoint()
    *_, extended = train(tiny_trial(), tiny_data, report_steps=[3, 6], checkpoint=checkpoint)
    *_, whole = train(tiny_trial(), tiny_data, report_steps=[3, 6])
    assert numbers(extended) == numbers(whole)


def test_patience_survives_a_resume(tiny_data):
    """The best loss and the reports since are part of the state."""
    trial = tiny_trial(patience=3)
    loop = TrainingLoop(trial, tiny_data)
    loop.advance(measure=True)
    loop.report()
    loop.progress.note_validation(1e9, patience=3)
    resumed = TrainingLoop(trial, tiny_data, checkpoint=loop.checkpoint())
    assert resumed.progress == loop.progress
    assert resumed.progress.reports_since_best == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.5}, {"hidden_size": 8}])
def test_another_trials_checkpoint_is_refused(change, tiny_data):
    """Resuming with another configuration would be no trial at all."""
    (report,) = train(tiny_trial(), tiny_data, report_steps=[1])
    with pytest.raises(CheckpointError, match="another trial"):
        TrainingLoop(tiny_trial(**change), tiny_data, checkpoint=report.checkpoint())


def test_a_checkpoint_on_other_data_is_refused(tiny_data, padded_data):
    """The data are part of what a trial is."""
    (report,) = train(tiny_trial(), tiny_data, report_steps=[1])
    with pytest.raises(CheckpointError, match="another data fingerprint"):
        TrainingLoop(tiny_trial(), padded_data, checkpoint=report.checkpoint())


def test_a_report_left_behind_has_no_checkpoint(tiny_data):
    """Asking too late is an error, not the state of another step."""
    first, _ = train(tiny_trial(), tiny_data, report_steps=[1, 2])
    with pytest.raises(RuntimeError, match="step 1 is gone"):
        first.checkpoint()
