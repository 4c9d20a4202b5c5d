"""Numbers for Prometheus, in its text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4.
"""

import collections
from collections.abc import Iterator, Mapping
from typing import Final

import psutil

from picosweep.service.queue.submissions import STATES, Submission

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics(submissions: list[Submission], *, num_watchers: int, trouble: str) -> str:
    """Return what a scrape is answered.

    Args:
        submissions: all of them.
        num_watchers: open streams of events.
        trouble: why the queue stands still; empty when it does not.
    """
    counts = collections.Counter(one.state for one in submissions)
    process = psutil.Process()
    lines = [
        *_gauge(
            "picosweep_submissions", "Submissions by state.",
            {f'{{state="{state}"}}': counts.get(state, 0) for state in STATES},  # type: ignore[call-overload]
        ),
        *_gauge("picosweep_watchers", "Open streams of events.", {"": num_watchers}),
        *_gauge("picosweep_queue_ok", "1 where the queue is at work.", {"": int(not trouble)}),
        *_gauge(
            "process_resident_memory_bytes", "Resident memory of the service.",
            {"": process.memory_info().rss},
        ),
        *_gauge(
            "process_start_time_seconds", "When the service began, since the epoch.",
            {"": process.create_time()},
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _gauge(name: str, meaning: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in values.items():
        yield f"{name}{labels} {value:.17g}"
