"""Whatever a sweep searches for: the report ranks by it, and by the same rule as the terminal."""

import json
from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis.answer.answer import answer
from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.results import MEASURED, load
from picosweep.sweeps.search.ranking import Ranking
from picosweep.sweeps.store.columns import ALL
from tests.analysis.handmade import write_sweep

OBJECTIVES = [(name, str(ALL[name].goal)) for name in sorted(MEASURED)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(
        tmp_path_factory.mktemp("objectives") / "demo",
        architectures=("lstm", "kgram"),
        trials_per_architecture=6,
    )


@pytest.mark.parametrize(("metric", "goal"), [*OBJECTIVES, ("val_loss", "maximize")])
def test_the_winner_is_the_best_by_the_first_objective(
    folder: Path, metric: str, goal: str
) -> None:
    spec = json.loads((folder / "spec.json").read_text())
    spec["objectives"] = [{"metric": metric, "goal": goal}]
    (folder / "spec.json").write_text(json.dumps(spec))
    results = load(folder)
    for chapter in CHAPTERS:
        ask(chapter.questions, results, strict=True)
    rows = pl.read_parquet(folder / "trials" / "*.parquet").to_dicts()
    for row in rows:  # in a handmade configuration the name of the architecture is another key
        row["config"] = json.dumps(json.loads(row["config"]) | {"name": row["architecture"]})
    last = max(row["rung"] for row in rows if row["rung"] is not None)
    best = Ranking(metric=metric, goal=goal).winners([r for r in rows if r["rung"] == last])
    assert answer(results).winner == best[0].row["architecture"]
    ended = results.full_budget
    extreme = ended[metric].min() if goal == "minimize" else ended[metric].max()
    assert ended[metric][ended[results.metric.column].arg_min()] == extreme
