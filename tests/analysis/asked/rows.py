"""Answers written by hand, as a sweep's tables hold them."""

import json
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


def head(layer: int | None, number: int | None, **changes: Any) -> dict[str, Any]:
    """A row of `probes_heads` that does nothing in particular."""
    return {
        "trial_id": TRIALS[0], "rung": 0, "step": 10, "layer": layer, "head": number,
        "previous": 0.06, "first": 0.06, "duplicate": 0.02, "induction": 0.02, "entropy": 1.0,
        "distance": 11.0, "loss_without": 0.0, "first_half_loss": 4.0, "second_half_loss": 1.0,
        **changes,
    }  # fmt: skip


def attention(**changes: Any) -> dict[str, Any]:
    """A row of `probes_attention`."""
    return {
        "trial_id": TRIALS[0], "rung": 0, "step": 10, "layer": 0, "head": 0, "prompt": "a b",
        "prompt_tokens": json.dumps(["a", " b"]), "weights": "[[1],[0.25,0.75]]",
        "is_distribution": True, **changes,
    }  # fmt: skip


def neuron(**changes: Any) -> dict[str, Any]:
    """A row of `probes_neurons`."""
    return {
        "trial_id": TRIALS[0], "rung": 0, "step": 10, "layer": 1, "unit": 5, "unit_kind": "cells",
        "text_group": "prose", "higher": False, "chosen_by": 0.8, "selectivity": 0.6,
        "chance": 0.3, "p_value": 0.001, "units_looked_at": 64, **changes,
    }  # fmt: skip


def every_answer(trial_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of every table of answers, of two steps each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for trial_id in trial_ids:
        place = {"trial_id": trial_id, "rung": 0, "step": 10}
        for step in (5, 10):
            for suite, sections in SECTIONS.items():
                found.setdefault("evaluations", []).extend(
                    scores(sections, trial_id=trial_id, suite=suite, step=step)
                )
            for item, loss in {"1": 3.0, "2": 2.5, "3-4": 2.0, "5-8": 2.25}.items():
                section = "loss by place" if item != "5-8" else "loss by place, past a block"
                found["evaluations"] += scores(
                    {section: [loss]}, trial_id=trial_id, suite="text", step=step, item=item
                )
        alike = {"trial_id": trial_id, "loss_without": None}
        rows = {
            "probes_heads": [head(0, 0, trial_id=trial_id), head(None, None, **alike)],
            "probes_attention": [attention(trial_id=trial_id)],
            "probes_components": [
                {**place, "component": n, "explained": 0.4 / n, "baseline": 0.1,
                 "log_frequency": 0.5} for n in (1, 2)
            ],
            "probes_tokens": [
                {**place, "token": n, "token_text": f"<b>{n}", "occurrences": n,
                 "component_1": 0.1 * n, "component_2": 0.2, "component_3": 0.0,
                 "neighbours": '["x"]'} for n in range(4)
            ],
            "probes_neurons": [neuron(trial_id=trial_id), neuron(trial_id=trial_id, unit=6)],
        }  # fmt: skip
        for table, own in rows.items():
            found.setdefault(table, []).extend(own)
    return found


SECTIONS: Mapping[str, Mapping[str, Sequence[float | None]]] = {
    "code": {
        "brackets": [1.0, 0.0, 1.0],
        "brackets, for other prompts": [0.5, 0.5, 0.5],
        "parses": [1.0, 0.5],
        "passes": [0.5, 0.0],
        "passes: a constant": [0.0, 0.0],
        "passes: the first argument": [0.0, 0.0],
        "passes: what it writes most often": [0.0, 0.0],
    },
    "text": {
        "perplexity": [40.0],
        "bits per byte": [1.5],
        "diversity": [0.5],
        "diversity, held-out text": [0.75],
    },
}
"""Scores of both suites."""
