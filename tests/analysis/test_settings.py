"""Hyperparameters that are called like columns of the report, null as a value, earlier trials."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.results import load
from picosweep.analysis.settings import DERIVED, RESERVED, named_settings
from picosweep.pico.models.registry import MODELS
from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.store.tables import FIXED_TRIAL_COLUMNS
from tests.analysis.handmade import write_sweep

ANALYSIS = Path(__file__).parents[2] / "analysis"
MAKERS = {
    "with_columns", "agg", "select", "struct", "with_row_index", "rename", "unpivot", "alias",
    "DataFrame", "Series", "value_counts",
}  # fmt: skip
OPTIONS = {"dtype", "schema", "on", "value_name", "variable_name", "index", "strict", "sort"}


def _made_columns() -> Iterator[str]:
    """Names that the report's code gives to columns of its own."""
    for path in ANALYSIS.rglob("*.py"):
        if path.parent.name == "asked":  # its tables never hold a hyperparameter
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            maker = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if maker not in MAKERS:
                continue
            if maker == "value_counts":
                yield "count"
            texts: list[ast.expr | None] = []
            for keyword in node.keywords:
                if keyword.arg in ("value_name", "variable_name"):
                    texts.append(keyword.value)
                elif keyword.arg and keyword.arg not in OPTIONS:
                    yield keyword.arg
            for argument in node.args:
                if maker in ("alias", "with_row_index", "Series"):
                    texts.append(argument)
                if isinstance(argument, ast.Dict):
                    texts += argument.values if maker == "rename" else argument.keys
            for text in texts:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value


def test_every_column_that_the_report_makes_is_reserved() -> None:
    made = {name for name in _made_columns() if name.isidentifier()}
    assert made - FIXED_TRIAL_COLUMNS - DERIVED == RESERVED - DERIVED


def test_no_hyperparameter_of_ours_is_called_like_one() -> None:
    configs = [TrainingConfig, *(model.config_class for model in MODELS.values())]
    assert not RESERVED & {name for one in configs for name in one.__dataclass_fields__}


def test_the_report_can_be_made_whatever_hyperparameters_are_called(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "demo", architectures=("lstm", "kgram"))
    part = next((folder / "trials").glob("*.parquet"))
    frame = pl.read_parquet(part)
    numbers = pl.Series("", [number % 3 for number in range(frame.height)])
    own = sorted(name for name in RESERVED if name not in frame.columns)
    frame.with_columns(numbers.alias(name) for name in own).write_parquet(part)
    results = load(folder)
    assert {f"lstm/{name}" for name in own} <= set(results.hyperparameters["lstm"])
    for chapter in CHAPTERS:
        ask(chapter.questions, results, strict=True)


def trials(**columns: list[object]) -> pl.DataFrame:
    names = ["a", "a", "b", "b"]
    configs = [
        json.dumps({"model": {n: values[i] for n, values in columns.items()}, "training": {}})
        for i in range(4)
    ]
    return pl.DataFrame({"architecture": names, "config": configs, **columns}, strict=False)


def test_null_is_shown_where_it_is_a_value() -> None:
    shared = named_settings(trials(clip=[None, 1.0, 0.5, 2.0]))
    assert shared["a/clip"].to_list() == ["none", "1.0", None, None]
    assert shared["b/clip"].to_list() == [None, None, 0.5, 2.0]
    alone = named_settings(trials(clip=[None, 1.0, None, None]))
    assert alone["clip"].to_list() == ["none", "1.0", None, None]


def test_types_that_a_column_shows_as_texts_are_told_apart_again() -> None:
    frame = trials(size=[16, 24, True, False]).with_columns(
        size=pl.Series(["16", "24", "true", "false"])
    )
    found = named_settings(frame)
    assert found["a/size"].to_list() == [16.0, 24.0, None, None]
    assert found["b/size"].to_list() == [None, None, True, False]


def test_several_types_in_one_architecture_stay_texts() -> None:
    frame = trials(mode=[3, "auto", None, None]).with_columns(
        mode=pl.Series(["3", "auto", None, None])
    )
    assert named_settings(frame)["mode"].to_list() == ["3", "auto", None, None]


def test_null_of_a_row_that_is_only_older_stays_null() -> None:
    frame = trials(width=[8, 16, 32, 64]).with_columns(rate=pl.Series([None, 1.0, None, None]))
    assert named_settings(frame)["rate"].to_list() == [None, 1.0, None, None]


def test_trials_of_an_earlier_spec_are_left_out_and_told(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "demo", architectures=("lstm",))
    before = load(folder)
    part = next((folder / "trials").glob("*.parquet"))
    frame = pl.read_parquet(part)
    winner = before.full_budget.sort("val_loss")["trial_id"][0]
    frame = frame.with_columns(current=pl.col("trial_id") != winner)
    frame.write_parquet(part)
    after = load(folder)
    assert winner not in after.trials["trial_id"]
    assert winner not in after.reports["trial_id"]
    assert after.trials.height == before.trials.height - 1
    assert any("1 trial of an earlier spec" in warning for warning in after.warnings)
