"""Answers written by hand, as a sweep's tables hold them."""

from collections.abc import Mapping, Sequence
from typing import Any

from picosweep.analysis.asked.frames import Asked

TRIALS = ("aaaa1111", "bbbb2222")


def trial(trial_id: str, **changes: Any) -> dict[str, Any]:
    """A trial's facts."""
    return {
        "trial_id": trial_id, "sweep": "s", "architecture": "transformer", "num_params": 1000,
        "tokens": 4096, "seconds": 2.0, "tokens_per_second": 2048.0, "peak_memory_bytes": 1 << 20,
        "val_loss": 2.5, "bits_per_byte": 1.25, **changes,
    }  # fmt: skip


def scores(
    sections: Mapping[str, Sequence[float | None]],
    *,
    trial_id: str = TRIALS[0],
    suite: str = "code",
    step: int = 10,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Rows of `evaluations`, an item for each score."""
    return [
        {
            "trial_id": trial_id, "rung": 0, "step": step, "suite": suite, "suite_version": 1,
            "section": section, "item": f"item {place}", "score": score, "num_scored": 10,
            "outcome": "not executed" if score is None else "scored",
            "sandbox": "rlimits, landlock 7, seccomp", "detail": "why", **changes,
        }
        for section, own in sections.items()
        for place, score in enumerate(own)
    ]  # fmt: skip


def asked(rows: Mapping[str, Sequence[Mapping[str, Any]]], *trials: dict[str, Any]) -> Asked:
    """Answers of trials, by default of one."""
    return Asked.of_rows(trials or (trial(TRIALS[0]),), rows)
