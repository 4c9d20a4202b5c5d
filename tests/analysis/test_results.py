from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis.results import Results, ResultsError, load
from picosweep.sweeps.store.tables import TRIALS
from tests.analysis.handmade import write_sweep


def write_trials(folder: Path, frame: pl.DataFrame) -> Path:
    """A folder with nothing but a `trials` table."""
    (folder / "trials").mkdir(parents=True)
    frame.write_parquet(folder / "trials" / "part-000000.parquet")
    return folder


def test_tables_come_back_whole(results: Results) -> None:
    """Trials, reports and decisions carry their columns, architecture and hyperparameters."""
    assert results.architectures == ("kgram", "linear_transformer", "lstm", "transformer")
    assert results.trials.columns[: len(TRIALS.names)] == TRIALS.names
    assert set(results.hyperparameters["kgram"]) == {
        "context_size", "embed_size", "activation", "learning_rate",
    }  # fmt: skip
    assert results.reports["architecture"].null_count() == 0
    assert results.specs["demo"]["name"] == "demo"
    assert results.last_rung == 3


def test_only_the_tables_that_exist_are_needed(tmp_path: Path) -> None:
    """Two columns of one table are enough to load; everything else is null or empty."""
    frame = pl.DataFrame({"trial_id": ["a"], "architecture": ["kgram"]})
    loaded = load(write_trials(tmp_path / "bare", frame))
    assert loaded.trials["status"].to_list() == ["running"]
    assert loaded.trials["sweep"].to_list() == ["bare"]
    assert loaded.reports.is_empty()
    assert loaded.full_budget.is_empty()


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    """NaN and infinities are no losses."""
    frame = pl.DataFrame(
        {
            "trial_id": ["a", "b"],
            "architecture": ["k", "k"],
            "val_loss": [float("nan"), float("inf")],
        }
    )
    assert load(write_trials(tmp_path / "odd", frame)).trials["val_loss"].null_count() == 2


def test_the_last_row_of_a_trial_counts(tmp_path: Path) -> None:
    """A trial written twice is one trial, as it was last."""
    frame = pl.DataFrame(
        {"trial_id": ["a", "a"], "architecture": ["k", "k"], "status": ["running", "completed"]}
    )
    loaded = load(write_trials(tmp_path / "twice", frame))
    assert loaded.trials["status"].to_list() == ["completed"]
    assert "older" in loaded.warnings[0]


def test_hyperparameters_of_any_type_can_be_read(tmp_path: Path) -> None:
    """Lists and structs become text; a setting that is null everywhere is dropped."""
    frame = pl.DataFrame(
        {"trial_id": ["a"], "architecture": ["k"], "layers": [[1, 2]], "nothing": [None]}
    )
    loaded = load(write_trials(tmp_path / "odd", frame))
    assert loaded.trials.schema["layers"] == pl.String
    assert loaded.hyperparameters["k"] == ("layers",)


def test_parts_with_different_settings_are_joined(tmp_path: Path) -> None:
    """A sweep that was extended by a setting has parts with different columns."""
    folder = write_trials(
        tmp_path / "more", pl.DataFrame({"trial_id": ["a"], "architecture": ["k"], "width": [3]})
    )
    pl.DataFrame({"trial_id": ["b"], "architecture": ["k"], "depth": [2.5]}).write_parquet(
        folder / "trials" / "part-000001.parquet"
    )
    loaded = load(folder)
    assert loaded.trials["width"].to_list() == [3, None]
    assert loaded.trials["depth"].to_list() == [None, 2.5]


def test_different_tokenizers_compare_by_bits_per_byte(tmp_path: Path) -> None:
    """Nats per token mean nothing across tokenizers."""
    frame = pl.DataFrame(
        {"trial_id": ["a", "b"], "architecture": ["k", "k"], "tokenizer_fingerprint": ["x", "y"]}
    )
    assert load(write_trials(tmp_path / "two", frame)).metric.column == "bits_per_byte"


def test_a_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    """The message names the folder and what belongs there."""
    with pytest.raises(ResultsError, match="no such folder"):
        load(tmp_path / "absent")
    with pytest.raises(ResultsError, match=r"no trials/\*\.parquet"):
        load(tmp_path)
    with pytest.raises(ResultsError, match="no results folder"):
        load([])


def test_several_sweeps_keep_their_names(demo: Path, tmp_path: Path) -> None:
    """A trial that two sweeps share is there once for each."""
    other = write_sweep(tmp_path / "other", name="other", trials_per_architecture=2)
    both = load([demo, other])
    assert both.sweeps == ("demo", "other")
    assert both.full_budget["trial_id"].is_unique().all()
