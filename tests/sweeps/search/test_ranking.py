"""Best by the sweep's own objective, wherever a person is told what is best."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from picosweep.commands.result import SweepResult
from picosweep.sweeps.search.ranking import Ranking
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.summary import print_summary


def _row(trial_id: str, **values: Any) -> dict[str, Any]:
    whole = {"architecture": "lstm", "cohort": "searched", "rung": 2, "status": "completed"}
    numbers = {"val_loss": 3.0, "bits_per_byte": 2.0, "val_accuracy": 0.5, "num_params": 9}
    row = whole | numbers | {"trial_id": trial_id, "vocab_size": 300} | values
    config = {"name": row["architecture"], "vocab_size": row["vocab_size"], "seed": trial_id}
    return row | {"config": json.dumps(config)}


SMALL = _row("small", val_loss=2.0, bits_per_byte=2.5)
LARGE = _row("large", val_loss=4.0, bits_per_byte=1.5, vocab_size=900)


@pytest.mark.parametrize(
    ("metric", "goal", "best"),
    [
        ("val_loss", "minimize", "small"),
        ("bits_per_byte", "minimize", "large"),
        ("val_loss", "maximize", "large"),
    ],
)
def test_the_objective_decides(metric: str, goal: str, best: str) -> None:
    """A vocabulary with few tokens has a low loss a token and may still be the worse one."""
    (found,) = Ranking(metric=metric, goal=goal).winners([SMALL, LARGE])
    assert found.row["trial_id"] == best


def test_who_does_not_compete() -> None:
    """Confirmations, shorter trials, diverged ones and other architectures."""
    rows = [
        LARGE,
        _row("short", val_loss=0.1, rung=1),
        _row("earlier", val_loss=0.1, current=False),
        _row("broken", val_loss=float("nan")),
        _row("none", val_loss=None),
        _row("other", val_loss=0.1, architecture="kgram"),
    ]
    assert [winner.row["trial_id"] for winner in Ranking().winners(rows)] == ["other", "large"]
    assert Ranking().winners(rows[2:3]) == []


@pytest.mark.parametrize(
    ("goal", "best", "value"), [("minimize", "large", 3.9), ("maximize", "small", 5.5)]
)
def test_fresh_seeds_decide_where_there_are_any(goal: str, best: str, value: float) -> None:
    """The best of many trials was picked for being lucky."""
    rows = [
        SMALL,
        LARGE,
        _row("s1", val_loss=5.0, cohort="confirm"),
        _row("s2", val_loss=6.0, cohort="confirm"),
        _row("l1", val_loss=3.9, cohort="confirm", vocab_size=900),
        _row("never confirmed", val_loss=1.0 if goal == "minimize" else 9.0, vocab_size=500),
    ]
    (found,) = Ranking(goal=goal).winners(rows)
    assert (found.row["trial_id"], found.value) == (best, value)


@pytest.mark.parametrize("stored", [None, {}, {"objectives": []}, {"objectives": "x"}])
def test_without_a_readable_spec_it_is_the_validation_loss(stored: Any) -> None:
    """A folder whose spec is damaged can still be looked at."""
    assert Ranking.of_stored(stored) == Ranking()


def test_the_summary_names_the_winner_by_the_objective() -> None:
    """The table's first column is the objective, over fresh seeds as well."""
    again = _row("again", bits_per_byte=1.7, vocab_size=900, cohort="confirm")
    result = SweepResult(
        folder=Path("results/small"),
        report=None,
        status="completed",
        reason="",
        advice="",
        wall_seconds=1.0,
        busy_seconds=1.0,
        slots=1,
        new_tokens=1,
        trials=[SMALL, LARGE, again],
        settings={"lstm": ("vocab_size",)},
        ranking=Ranking(metric="bits_per_byte"),
        remarks=[],
    )
    out = StringIO()
    print_summary(PlainConsole(file=out, width=100), result)
    text = out.getvalue()
    assert "lstm large: vocab_size=900" in text
    assert text.index("bits_per_byte") < text.index("val_loss")
    assert "1.7000" in text
