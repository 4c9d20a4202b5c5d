"""Reports of sweeps whose budget is in seconds: trials share a time, not a number of tokens."""

import json
from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis.report import render_report, subtitle
from picosweep.analysis.results import Results, load
from picosweep.analysis.statistics.common_rung import comparisons
from picosweep.analysis.stopping.savings import savings_sentence, savings_table
from tests.analysis.handmade import RUNGS, write_sweep


def _clocked(folder: Path, *, name: str = "clocked", seconds: float = 5.0, seed: int = 0) -> Path:
    """A handmade sweep, told again as one with rungs at 5, 15, 45 and 135 seconds."""
    write_sweep(folder, name=name, seed=seed)
    for table in ("trials", "reports"):
        path = folder / table / "part-000000.parquet"
        frame = pl.read_parquet(path)
        shown = seconds * 3.0 ** pl.col("rung").cast(pl.Float64) + 0.01
        frame.with_columns(training_seconds=shown).write_parquet(path)
    spec = json.loads((folder / "spec.json").read_text())
    spec["budget"] = {"unit": "seconds", "min": seconds, "factor": 3, "rungs": RUNGS}
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One such sweep."""
    return load(_clocked(tmp_path_factory.mktemp("results") / "clocked"))


def test_the_budget_is_told_in_seconds(clocked: Results, results: Results) -> None:
    """In the subtitle and wherever trials are compared at a rung."""
    assert clocked.in_seconds
    assert not results.in_seconds
    assert "2 min 15 s of training a trial" in subtitle(clocked)
    assert "tokens a trial" in subtitle(results)
    places = [comparison.sentence for comparison in comparisons(clocked)]
    assert all(" s of training (rung " in place for place in places)
    assert all(" tokens (rung " in comparison.sentence for comparison in comparisons(results))


def test_what_was_saved_is_time(clocked: Results) -> None:
    """A slow trial that ran to the end has seen few tokens, and has saved nothing."""
    table = savings_table(clocked)
    stopped = clocked.trials.filter(status="stopped")
    assert table["saved"].sum() == pytest.approx((135.01 - stopped["training_seconds"]).sum())
    sentence = savings_sentence(table, in_seconds=True)
    assert "of training, " in sentence
    assert "tokens" not in sentence


def test_two_such_sweeps_have_one_budget(tmp_path: Path) -> None:
    """Machines of another speed saw other tokens; another number of seconds is another budget."""
    one = _clocked(tmp_path / "one", name="one")
    other = _clocked(tmp_path / "other", name="other", seed=1)
    path = other / "trials" / "part-000000.parquet"
    pl.read_parquet(path).with_columns(pl.col("tokens") * 2).write_parquet(path)
    assert not any("budgets" in caveat for caveat in load([one, other]).caveats)
    longer = _clocked(tmp_path / "longer", name="longer", seconds=9.0, seed=2)
    (caveat,) = load([one, longer]).caveats
    assert "seconds a trial: one 140, longer 240" in caveat


def test_every_figure_is_drawn(clocked: Results) -> None:
    """None of them stumbles over such a sweep."""
    assert "2 min 15 s of training a trial" in render_report(clocked, strict=True)
