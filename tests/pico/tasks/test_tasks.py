"""The seam between a training loop and what it trains for."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.tasks import registry
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint
from picosweep.pico.weights.restore import weights_fingerprint
from picosweep.sweeps.store.tables import REPORTS
from tests.pico.tiny_trials import tiny_trial


class Copying:
    """Says which token it has just read: a task without text to predict, for two micro-batches."""

    columns = ("val_loss", "val_accuracy")

    def __init__(self, trial, data, model, device, initial):
        self._model, self._vocab_size = model, data.meta.vocab_size
        self._shape = (trial.training.batch_size, trial.block_size)
        self._seed = trial.seed

    def batches(self, step):
        """Random tokens, half of them in each micro-batch."""
        random = torch.Generator().manual_seed(1000 * self._seed + step)
        return torch.randint(self._vocab_size, self._shape, generator=random).chunk(2)

    def objective(self, batch):
        """Half of the step's mean loss."""
        loss = self._loss(batch) / 2
        return loss, loss.detach()

    @torch.no_grad()
    def evaluate(self, autocast):
        """Loss and accuracy over one fixed batch."""
        batch = torch.cat(self.batches(10**6))
        with autocast():
            right = (self._model(batch).argmax(-1) == batch).float().mean()
            return {"val_loss": float(self._loss(batch)), "val_accuracy": float(right)}

    def _loss(self, batch):
        return functional.cross_entropy(self._model(batch).flatten(0, 1), batch.flatten())


@pytest.fixture
def copying(monkeypatch):
    """A trial of a second task."""
    monkeypatch.setattr(registry, "TASKS", registry.TASKS | {"copying": Copying})
    return tiny_trial("lstm", learning_rate=1e-2, task="copying")


def test_another_task_needs_nothing_but_a_class(copying, tiny_data):
    """The loop trains it, reports its columns, and goes on from its checkpoint bit for bit."""
    first, middle, last = train(copying, tiny_data, report_steps=[1, 60, 120])
    assert set(last.evaluation) == set(Copying.columns)
    assert last.metrics()["val_accuracy"] > 0.9 > first.metrics()["val_accuracy"]
    assert "bits_per_byte" not in last.metrics()
    *_, again = train(copying, tiny_data, report_steps=[60])
    (resumed,) = train(copying, tiny_data, report_steps=[120], checkpoint=again.checkpoint())
    assert (resumed.val_loss, resumed.train_loss) == (last.val_loss, last.train_loss)
    assert again.val_loss == middle.val_loss


def test_a_task_that_diverges_says_so_in_its_own_columns(copying, tiny_data):
    """Nothing is evaluated then, and every column of the task is NaN."""
    loop = TrainingLoop(copying, tiny_data)
    with torch.no_grad():
        next(loop.model.parameters()).fill_(math.nan)
    loop.advance(measure=True)
    report = loop.report()
    assert report.diverged
    assert all(math.isnan(report.evaluation[name]) for name in Copying.columns)


@pytest.mark.parametrize("name", sorted(registry.TASKS))
def test_every_task_fills_columns_that_the_tables_have(name, tiny_data):
    """What a task measures has a column, and it measures all that it promises."""
    trial, initial = tiny_trial(), None
    if name == "preference":
        (before,) = train(trial, tiny_data, report_steps=[1])
        initial = before.checkpoint()
        settings = PreferenceConfig(prompt_tokens=4)
        start = {"init_from": weights_fingerprint(initial), "preference": settings}
        trial = replace(trial, task=name, **start)
    (report,) = train(trial, tiny_data, report_steps=[1], initial=initial)
    task = registry.find_task(name)
    assert set(report.evaluation) == set(task.columns) <= set(REPORTS.names)
    assert "val_loss" in task.columns


def test_an_unknown_task_is_refused(tiny_data):
    """With the name and what there is."""
    with pytest.raises(ValueError, match="task is 'painting'; allowed: one of language_modeling"):
        TrainingLoop(tiny_trial(task="painting"), tiny_data)


def test_a_checkpoint_from_before_tasks_had_names_goes_on(tiny_data):
    """An older checkpoint says nothing of a task: it is one of language modelling."""
    trial = tiny_trial()
    *_, last = train(trial, tiny_data, report_steps=[3, 6])
    (first,) = train(trial, tiny_data, report_steps=[3])
    read = Checkpoint.from_bytes(first.checkpoint())
    state = json.loads(json.dumps(read.state))
    del state["trial"]["task"]
    older = Checkpoint(tensors=read.tensors, state=state).to_bytes()
    (resumed,) = train(trial, tiny_data, report_steps=[6], checkpoint=older)
    assert resumed.val_loss == last.val_loss
