"""One run of a submission: taken once, whoever starts it and however often."""

import json
import os
import time
from pathlib import Path

from picosweep.service.queue.attempts import Attempt, has_left

FAKE = "tests.picosweep.service.queue.fake_driver"
ROOT = Path(__file__).parents[4]


def test_an_attempt_that_is_started_three_times_runs_once(tmp_path: Path) -> None:
    """A service that died between a start and its note starts the attempt again."""
    attempt = Attempt(folder=tmp_path / "runs" / "a" / "1")
    attempt.prepare(json.dumps({"name": "a", "seconds": 0.3}), {})
    assert attempt.condition == "unknown"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [attempt.start(environment, FAKE) for _ in range(3)]
    end = time.monotonic() + 30
    while not all(has_left(one) for one in processes):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert attempt.condition == "ended"
    assert (tmp_path / "ran.txt").read_text() == "a 1\n"
    late = attempt.start(environment, FAKE)
    while not has_left(late):
        time.sleep(0.02)
    assert (tmp_path / "ran.txt").read_text() == "a 1\n", "long after, too"
