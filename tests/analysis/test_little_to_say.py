"""Sweeps from which little follows: the page says what it cannot know."""

import re
from pathlib import Path
from typing import Any

import pytest

from picosweep.analysis.answer.answer import answer
from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.results import Results, load
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.workers.simulated import (
    Loss,
    SimulatedRunner,
    SimulatedTrial,
    lottery,
    simulated_sweep,
)

TWO = {"one": {"model": "kgram"}, "two": {"model": "kgram"}}


def simulated(
    folder: Path,
    loss: Loss,
    *,
    trials: int = 12,
    confirm: dict[str, int] | None = None,
    architectures: dict[str, Any] | None = None,
) -> Results:
    """A sweep with the spec that a real one would have."""
    spec: dict[str, Any] = {
        "name": "small",
        "data": {"source": "stdlib", "block_size": 16},
        "budget": {"unit": "steps", "min": 4, "factor": 2, "rungs": 2, "reports_per_rung": 1},
        "search": {"trials_per_architecture": trials, "sampler": "random"},
        "confirm": confirm or {"top": 1, "seeds": 2},
        "common": {
            "learning_rate": {"log_uniform": [1e-3, 1e-1]},
            "embed_size": [8, 16, 32],
            "batch_size": 4,
        },
        "architectures": architectures or TWO,
    }
    coordinator, store = simulated_sweep(folder, spec)
    SimulatedRunner(loss).run(coordinator, SimulatedTrial.of, lambda: None)
    store.seal()
    store.close()
    write_json(store.files.spec, spec)
    return load(folder / "small")


def told(results: Results) -> dict[str, list[str]]:
    """Every figure's sentences, by its key, and the first screen's."""
    found = {"first": [answer(results).verdict, answer(results).sentence]}
    for chapter in CHAPTERS:
        for figure in ask(chapter.questions, results, strict=True):
            found[figure.key] = [panel.sentence for panel in figure.panels]
    for sentence in (sentence for own in found.values() for sentence in own):
        assert "nan" not in sentence.lower().split()
        assert not re.search(r"[+\u2212]\d\.?\d*e-1\d", sentence)  # the last bit of a float
    return found


def test_two_trials_order_nothing(tmp_path: Path) -> None:
    """No architecture is better, no setting shown, and what would tell is said."""
    pages = told(simulated(tmp_path, lottery(), trials=2))
    assert pages["first"][0] == "No architecture is shown to be better"
    assert "would mostly show it" in pages["first"][1]
    assert all("too few to rank settings" in one for one in pages["importance"])
    assert pages["expected-best"][0].startswith("Too few random draws")
    assert "too few to say" in pages["improvement"][0]
    assert all(
        "not shown to have anything in common" in one for one in pages["parallel-coordinates"]
    )


def test_one_architecture_is_compared_with_none(tmp_path: Path) -> None:
    """It is the only one, and no sentence orders it."""
    pages = told(simulated(tmp_path, lottery(), architectures={"one": {"model": "kgram"}}))
    assert pages["first"][0] == "one, the only architecture that finished"
    assert "luck" not in pages["first"][1]
    assert not any("Another search" in one for own in pages.values() for one in own)


@pytest.mark.parametrize(
    ("confirm", "words"),
    [
        ({"top": 0, "seeds": 2}, "a single searched trial, so a little flattered by being picked"),
        ({"top": 1, "seeds": 1}, "one fresh seed, so without an interval"),
    ],
)
def test_without_two_seeds_nobody_knows_the_noise(
    tmp_path: Path, confirm: dict[str, int], words: str
) -> None:
    """No interval, no verdict on a gap, nobody who stays on a front."""
    results = simulated(tmp_path, lottery(), confirm=confirm)
    pages = told(results)
    assert words in pages["first"][1]
    assert "\N{PLUS-MINUS SIGN}" not in pages["first"][1]
    assert "\N{PLUS-MINUS SIGN}" not in answer(results).tiles[0].value
    assert pages["best-settings"][0].endswith("noise unknown).")
    assert "nobody knows how far seeds move a loss" in pages["front-membership"][0]


def equal(_: object, __: int) -> float:
    """The same loss for everything, always."""
    return 3.0


def unfinished(_: object, step: int) -> float:
    """A loss that is no number before the last rung."""
    return 3.0 if step < 5 else float("nan")


def test_identical_losses_have_no_order_and_no_interval(tmp_path: Path) -> None:
    """A deviation of nothing is no basis for an interval of nothing."""
    pages = told(simulated(tmp_path, equal))
    first = pages["first"][1]
    assert "(the same for each of 2 fresh seeds, to the last digit)" in first
    assert "has the same loss" in first
    assert "\N{PLUS-MINUS SIGN}" not in first
    for key in ("importance", "partial-dependence", "box-plots"):
        assert all("The losses are all the same" in one for one in pages[key])
    assert all("cannot tell the effects" in one for one in pages["regression"])
    assert all("have the same mean" in one for one in pages["heatmap"])


def test_nothing_that_finished_wins_nothing(tmp_path: Path) -> None:
    """All diverged after the first rung: settings are compared there, and the title says so."""
    results = simulated(tmp_path, unfinished)
    pages = told(results)
    assert pages["first"][0] == "No winner yet"
    assert "No trial reached the full budget" in pages["first"][1]
    assert pages["expected-best"][0].startswith("Too few random draws")
