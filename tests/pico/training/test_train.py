import math
import time
from dataclasses import replace

import pytest
import torch

from picosweep.pico.data.batching.batches import TrainBatches, validation_batches
from picosweep.pico.models.registry import MODELS
from picosweep.pico.tasks import language_modeling
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint
from picosweep.sweeps.store.tables import ASKED_FOR, OF_PREFERENCE, REPORTS
from tests.pico.tiny_trials import numbers, tiny_trial


def final_weights(report):
    tensors = Checkpoint.from_bytes(report.checkpoint()).tensors
    return {name: t for name, t in tensors.items() if name.startswith("model.")}


def same_tensors(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("architecture", MODELS)
def test_same_seed_and_configuration_give_the_same_bits(architecture, tiny_data):
    """Two runs of one trial agree in every metric and every weight, dropout included."""
    trial = tiny_trial(architecture, dropout="some", token_dropout=0.1)
    one, other = (list(train(trial, tiny_data, report_steps=[3, 6])) for _ in range(2))
    assert [numbers(r) for r in one] == [numbers(r) for r in other]
    assert same_tensors(final_weights(one[-1]), final_weights(other[-1]))


@pytest.mark.parametrize("architecture", MODELS)
def test_the_seed_reaches_the_weights(architecture, tiny_data):
    """Another seed starts from other weights."""
    one, other = (TrainingLoop(tiny_trial(architecture, seed=s), tiny_data) for s in (0, 1))
    assert not torch.equal(one.model.head.weight, other.model.head.weight)


def test_the_seed_reaches_the_order_of_the_data(tiny_data, monkeypatch):
    """Another seed sees the data in another order."""
    seeds = []

    def spy(data, **sizes):
        seeds.append(sizes["seed"])
        return TrainBatches(data, **sizes)

    monkeypatch.setattr(language_modeling, "TrainBatches", spy)
    for seed in (3, 4):
        TrainingLoop(tiny_trial(seed=seed), tiny_data)
    assert seeds == [3, 4]


@pytest.mark.parametrize("architecture", MODELS)
def test_training_learns(architecture, tiny_data):
    """A few dozen steps take each architecture well below a guess."""
    trial = tiny_trial(architecture, learning_rate=1e-2, batch_size=8)
    *_, last = train(trial, tiny_data, report_steps=[60])
    assert last.val_loss < 0.8 * math.log(tiny_data.meta.vocab_size)
    assert last.evaluation["val_accuracy"] > 2 / tiny_data.meta.vocab_size


def test_a_report_has_the_columns_of_the_table(tiny_data):
    """A report is a row of `reports` but for what the sweep adds or asks, and other tasks have."""
    (report,) = train(tiny_trial(), tiny_data, report_steps=[2])
    assert set(report.metrics()) == set(REPORTS.names) - {
        "trial_id", "rung", "time", *ASKED_FOR, *OF_PREFERENCE,
    }  # fmt: skip
    assert all(type(value) in (int, float) for value in report.metrics().values())


def test_counters_and_gap(tiny_data):
    """Steps, tokens, FLOPs and perplexity are what their definitions say."""
    reports = list(train(tiny_trial(), tiny_data, report_steps=[2, 5]))
    assert [r.step for r in reports] == [2, 5]
    assert [r.tokens for r in reports] == [2 * 4 * 16, 5 * 4 * 16]
    assert reports[1].flops == pytest.approx(2.5 * reports[0].flops)
    assert reports[1].evaluation["val_perplexity"] == pytest.approx(math.exp(reports[1].val_loss))
    assert 0 < reports[0].seconds < reports[1].seconds
    assert reports[1].peak_memory_bytes > 1 << 20
    assert [r.finished for r in reports] == [False, True]


def test_reports_come_exactly_where_asked(tiny_data):
    """Order and repetition in the request change nothing; nothing else is yielded."""
    reports = list(train(tiny_trial(), tiny_data, report_steps=[7, 1, 3, 3]))
    assert [r.step for r in reports] == [1, 3, 7]


@pytest.mark.parametrize("steps", [[], [0, 5], [-1]])
def test_impossible_report_steps_are_refused(steps, tiny_data):
    """There is nothing to report before the first step."""
    with pytest.raises(ValueError, match="report_steps"):
        next(train(tiny_trial(), tiny_data, report_steps=steps))


def test_more_reports_do_not_change_training(tiny_data):
    """Evaluation draws no random number and touches no weight: only what is averaged differs."""
    trial = tiny_trial("transformer", dropout=0.3)
    *_, rare = train(trial, tiny_data, report_steps=[12])
    *_, often = train(trial, tiny_data, report_steps=range(1, 13))
    assert same_tensors(final_weights(rare), final_weights(often))
    assert rare.val_loss == often.val_loss


def test_train_loss_is_the_mean_since_the_report_before(tiny_data):
    """Means over stretches agree with the losses of the single steps."""
    each = [r.train_loss for r in train(tiny_trial(), tiny_data, report_steps=range(1, 7))]
    two = [r.train_loss for r in train(tiny_trial(), tiny_data, report_steps=[2, 6])]
    assert two == pytest.approx([sum(each[:2]) / 2, sum(each[2:]) / 4])


def test_random_numbers_drawn_between_reports_change_nothing(tiny_data):
    """Whoever generates text between two reports does not disturb training."""
    trial = tiny_trial("lstm", dropout=0.3)
    *_, quiet = train(trial, tiny_data, report_steps=[2, 6])
    noisy = []
    for report in train(trial, tiny_data, report_steps=[2, 6]):
        noisy.append(numbers(report))
        torch.rand(100)
    assert noisy[-1] == numbers(quiet)


def test_two_trials_at_once_do_not_disturb_each_other(tiny_data):
    """Generators that take turns give what they give alone."""
    trial = tiny_trial("lstm", dropout=0.3)
    alone = [numbers(r) for r in train(trial, tiny_data, report_steps=[1, 2, 3])]
    other = train(tiny_trial("lstm", seed=5, dropout=0.3), tiny_data, report_steps=[1, 2, 3])
    turns = train(trial, tiny_data, report_steps=[1, 2, 3])
    first = next(turns)
    interleaved = [numbers(first)]
    for _ in other:
        interleaved.extend(numbers(r) for r in [next(turns, None)] if r is not None)
    assert interleaved == alone


@pytest.mark.filterwarnings("ignore:overflow")
def test_divergence_ends_the_run_at_once(tiny_data):
    """A training loss that is not finite is the last report's, before the next report was due."""
    trial = tiny_trial("transformer", learning_rate=1e30, grad_clip=None)
    reports = list(train(trial, tiny_data, report_steps=[1, 500]))
    assert reports[-1].diverged
    assert reports[-1].finished
    assert reports[-1].step < 500
    assert not math.isfinite(reports[-1].val_loss)


def test_validation_loss_that_is_not_finite_is_divergence(tiny_data, monkeypatch):
    """A model that breaks in evaluation alone has diverged too."""
    loop = TrainingLoop(tiny_trial(), tiny_data)
    loop.advance(measure=True)
    with torch.no_grad():
        loop.model.head.weight.fill_(math.nan)
    report = loop.report()
    assert report.diverged
    assert report.finished


def test_patience_ends_a_trial_that_no_longer_improves(tiny_data):
    """After that many reports in a row without a new best, nothing follows."""
    trial = tiny_trial(learning_rate=1e-2, patience=2)
    loop = TrainingLoop(trial, tiny_data)
    progress = loop.progress
    for loss in (3.0, 2.0, 2.5, 1.9, 1.9):
        progress.note_validation(loss, patience=2)
        assert not progress.ended
    progress.note_validation(5.0, patience=2)
    assert progress.ended


def test_patience_in_a_run(tiny_data):
    """A learning rate that is far too high ends the run early; without patience it goes on."""
    steps = list(range(5, 200, 5))
    wild = {"learning_rate": 1.0, "optimizer": "sgd"}
    patient = list(train(tiny_trial(patience=1, **wild), tiny_data, report_steps=steps))
    endless = list(train(tiny_trial(**wild), tiny_data, report_steps=steps))
    assert len(endless) == len(steps)
    assert len(patient) < len(endless)
    assert patient[-1].finished
    assert not patient[-1].diverged
    assert patient[-1].val_loss >= min(r.val_loss for r in patient)


def test_deadline_ends_without_a_report(tiny_data):
    """A run past its deadline stops between steps."""
    assert not list(train(tiny_trial(), tiny_data, report_steps=[5], deadline=time.monotonic()))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon"])
def test_every_optimizer_learns(optimizer, tiny_data):
    """Each optimizer lowers the loss."""
    rate = 0.1 if optimizer == "sgd" else 1e-2
    trial = tiny_trial("transformer", optimizer=optimizer, learning_rate=rate, weight_decay=0.0)
    first, last = train(trial, tiny_data, report_steps=[1, 40])
    assert last.val_loss < first.val_loss - 0.3


@pytest.mark.parametrize("architecture", ["kgram", "transformer"])
def test_accumulation_gives_the_whole_batches_gradient(architecture, padded_data):
    """Micro-batches of unevenly padded rows take the same step as the whole batch."""
    trial = tiny_trial(architecture, batch_size=8, block_size=160)
    parts = replace(trial, training=replace(trial.training, accumulation=4))
    (one,) = train(trial, padded_data, report_steps=[1])
    (other,) = train(parts, padded_data, report_steps=[1])
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-5)
    assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-4)
    assert other.tokens == one.tokens


def test_label_smoothing_is_not_in_the_reported_loss(tiny_data):
    """The reported training loss is plain: at the first step it does not know of smoothing."""
    (plain,) = train(tiny_trial(), tiny_data, report_steps=[1])
    (smooth,) = train(tiny_trial(label_smoothing=0.3), tiny_data, report_steps=[1])
    assert smooth.train_loss == pytest.approx(plain.train_loss, rel=1e-6)
    assert smooth.grad_norm < 0.9 * plain.grad_norm


def test_token_dropout_is_in_training_alone(tiny_data):
    """A model that reads mostly noise in training is judged on the clean text."""
    trial = tiny_trial(learning_rate=1e-2, batch_size=16, token_dropout=0.5)
    *_, last = train(trial, tiny_data, report_steps=[40, 60])
    assert last.train_loss > last.val_loss + 0.2


@pytest.mark.parametrize("architecture", MODELS)
def test_bf16_follows_fp32(architecture, tiny_data):
    """The lower precision trains, close to fp32 and not equal to it."""
    (full,) = train(tiny_trial(architecture), tiny_data, report_steps=[10])
    (half,) = train(tiny_trial(architecture, precision="bf16"), tiny_data, report_steps=[10])
    assert half.val_loss != full.val_loss
    assert half.val_loss == pytest.approx(full.val_loss, rel=0.02)


def test_schedule_reaches_the_optimizer(tiny_data):
    """The reported learning rate follows the schedule, and a rate of zero moves no weight."""
    trial = tiny_trial(schedule="linear", horizon_steps=5)
    reports = list(train(trial, tiny_data, report_steps=range(1, 7)))
    rates = [r.learning_rate / trial.training.learning_rate for r in reports]
    assert rates == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0, 0.0])
    assert reports[5].weight_norm == reports[3].weight_norm != reports[2].weight_norm


def test_validation_batches_do_not_depend_on_the_training(tiny_data, monkeypatch):
    """Two trials of one model are judged on the same batches, so on the same bits."""
    asked = []

    def spy(data, **sizes):
        asked.append(sizes)
        return validation_batches(data, **sizes)

    monkeypatch.setattr(language_modeling, "validation_batches", spy)
    for batch_size in (2, 8):
        TrainingLoop(tiny_trial(batch_size=batch_size), tiny_data)
    assert asked[0] == asked[1]


def test_compiled_model_is_the_one_that_trains(tiny_data, monkeypatch):
    """`compile` sends the training forward pass, and no other, through `torch.compile`."""
    calls = []

    def fake_compile(model):
        return lambda ids_BT: calls.append(model.training) or model(ids_BT)

    monkeypatch.setattr(torch, "compile", fake_compile)
    (compiled,) = train(tiny_trial(compile=True), tiny_data, report_steps=[3])
    (plain,) = train(tiny_trial(), tiny_data, report_steps=[3])
    assert calls == [True] * 3
    assert numbers(compiled) == numbers(plain)


def test_validation_part_without_a_block_is_named(tiny_data):
    """A validation part shorter than one block is refused where it is asked for."""
    with pytest.raises(ValueError, match=r"block_size|validation"):
        TrainingLoop(replace(tiny_trial(), validation_tokens=1, block_size=100_000), tiny_data)
