"""Reports after seconds of training, by a clock that the tests wind."""

import math

import pytest

from picosweep.pico.training.clock import TrainingClock
from picosweep.pico.training.progress import Progress
from picosweep.pico.training.train import train
from picosweep.pico.weights.checkpoint import Checkpoint
from tests.pico.tiny_trials import numbers, tiny_trial


class FakeClock:
    """Each look is `seconds` after the one before: so long lasts a step, and an evaluation."""

    def __init__(self, seconds=1.0, slow=()):
        self.seconds, self.slow, self.looks, self.time = seconds, dict(slow), 0, 0.0

    def __call__(self):
        self.time += self.slow.get(self.looks, self.seconds)
        self.looks += 1
        return self.time


def lasting(number, seconds):
    """The look that makes a step last so long, where no evaluation came before it."""
    return {2 * number - 1: seconds}


def clocked(data, seconds, clock=None, **kwargs):
    return list(
        train(tiny_trial(), data, report_seconds=seconds, now=clock or FakeClock(), **kwargs)
    )


def test_the_clock_counts_training_alone(tiny_data):
    """Marks are passed by time in steps: evaluations take none of it."""
    reports = clocked(tiny_data, [3, 2, 6.5, 3])
    assert [r.step for r in reports] == [2, 3, 7]
    assert [r.training_seconds for r in reports] == [2, 3, 7]
    assert [r.seconds for r in reports] == [3, 5, 10]
    assert [r.finished for r in reports] == [False, False, True]


def test_reports_by_the_clock_have_their_gradient(tiny_data):
    """The step that crosses a mark is foreseen and measured; numbers are those of any report."""
    reports = clocked(tiny_data, [2, 5])
    by_step = list(train(tiny_trial(), tiny_data, report_steps=[2, 5]))
    assert [numbers(r) for r in reports] == [numbers(r) for r in by_step]
    assert all(math.isfinite(r.grad_norm) for r in reports)


def test_a_step_that_is_slow_unforeseen_is_followed_by_a_measured_one(tiny_data):
    """The report comes one step later than the mark was crossed, with its gradient's size."""
    (report,) = clocked(tiny_data, [10], FakeClock(slow=lasting(3, 9.0)))
    assert report.step == 4
    assert report.training_seconds == 1 + 1 + 9 + 1
    assert math.isfinite(report.grad_norm)


def test_the_first_step_is_not_foreseen(tiny_data):
    """Nothing is known of a step's length before one was taken."""
    (report,) = clocked(tiny_data, [0.5])
    assert report.step == 2


def test_one_slow_step_over_several_marks_makes_one_report(tiny_data):
    """The marks left behind have none, and the last mark ends the run."""
    first, last = clocked(tiny_data, [2, 4, 5, 6, 30], FakeClock(slow=lasting(2, 5.0)))
    assert (first.step, first.training_seconds) == (2, 6)
    assert last.training_seconds == 30
    (only,) = clocked(tiny_data, [2, 4, 5], FakeClock(slow=lasting(2, 5.0)))
    assert only.finished


def test_the_clock_goes_on_from_a_checkpoint(tiny_data):
    """Marks count over all processes; those passed before are not reported again."""
    reports, saved = [], b""
    for report in train(tiny_trial(), tiny_data, report_seconds=[2, 5, 9], now=FakeClock()):
        reports.append(report)
        saved = report.checkpoint() if report.step == 5 else saved
    (resumed,) = clocked(tiny_data, [2, 5, 9], FakeClock(seconds=2.0), checkpoint=saved)
    assert resumed.training_seconds == 9
    assert resumed.step == 7
    assert not clocked(tiny_data, [2, 5], checkpoint=saved)
    longer = clocked(tiny_data, [2, 5, 9], checkpoint=saved)
    assert [numbers(r) for r in longer] == [numbers(reports[-1])]


@pytest.mark.parametrize("from_checkpoint", [False, True])
def test_lost_work_is_done_again_at_no_cost_to_the_budget(tiny_data, from_checkpoint):
    """Known reports come again at the same steps, bit for bit, whatever the machine's pace now."""
    reports, saved = [], None
    for report in train(tiny_trial(), tiny_data, report_seconds=[2, 5, 9], now=FakeClock()):
        reports.append(report)
        saved = report.checkpoint() if report.step == 2 and from_checkpoint else saved
    known = [(r.step, r.training_seconds) for r in reports[:2]]
    slow = FakeClock(seconds=100.0)
    again = clocked(tiny_data, [2, 5, 9], slow, known=known, checkpoint=saved)
    first_left = 1 if from_checkpoint else 0
    assert [numbers(r) for r in again[:-1]] == [numbers(r) for r in reports[first_left:2]]
    assert [r.training_seconds for r in again[:-1]] == [r.training_seconds for r in reports][
        first_left:2
    ]
    assert again[-1].step == 6
    assert again[-1].training_seconds == 5 + 100
    assert again[-1].finished


def test_divergence_ends_a_clocked_run(tiny_data):
    """With one last report, before any mark."""
    wild = tiny_trial("transformer", learning_rate=1e30, grad_clip=None)
    *_, last = train(wild, tiny_data, report_seconds=[1000], now=FakeClock())
    assert last.diverged
    assert last.finished
    assert last.training_seconds < 1000


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"report_steps": [1], "report_seconds": [1.0]},
        {"report_seconds": [0.0]},
        {"report_seconds": [-1.0, 2.0]},
    ],
)
def test_impossible_marks_are_refused(marks, tiny_data):
    """One kind of marks, and nothing at or before the start."""
    with pytest.raises(ValueError, match="report_seconds"):
        next(train(tiny_trial(), tiny_data, **marks))


def test_an_older_checkpoint_trains_on_without_a_clock(tiny_data):
    """It says nothing of the time trained so far: unknown, and not a count from the middle."""
    (report,) = train(tiny_trial(), tiny_data, report_steps=[2])
    saved = Checkpoint.from_bytes(report.checkpoint())
    progress = saved.section("progress")
    del progress["trained_seconds"]
    old = Checkpoint(tensors=saved.tensors, state=saved.state | {"progress": progress})
    (resumed,) = train(tiny_trial(), tiny_data, report_steps=[4], checkpoint=old.to_bytes())
    assert resumed.step == 4
    assert math.isnan(resumed.training_seconds)
    with pytest.raises(TypeError):
        Progress.from_dict({**progress, "odd": 1})


def test_steps_handed_to_a_device_last_as_long_as_the_ones_before():
    """Until the device is waited for, the host's time says only that it was not less."""
    times = iter([0, 0, 0, 8, 10, 10, 10, 10, 10, 90])  # waited for after the second step
    clock = TrainingClock(Progress(), lambda: float(next(times)))
    expected = []
    for waited in (False, True, False, False, False):
        clock.start_step()
        clock.end_step(waited=waited)
        expected.append(clock.after_next_step)
    assert expected == [0, 12, 16, 20, 88]
