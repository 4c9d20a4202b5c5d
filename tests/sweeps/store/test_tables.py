"""Hyperparameters as columns of `trials`: whatever they are called, whatever they hold."""

import hashlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from picosweep.sweeps.store.parquet import to_parquet
from picosweep.sweeps.store.reader import read_journal
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import (
    FIXED_TRIAL_COLUMNS,
    Row,
    repaired,
    setting_name,
    trials_table,
)


def row(architecture: str, /, **own: Any) -> Row:
    return {
        "trial_id": "t",
        "architecture": architecture,
        "status": "completed",
        **{setting_name(architecture, name): value for name, value in own.items()},
    }


def written(rows: list[Row], declared: Any = ()) -> pl.DataFrame:
    listed, schema = trials_table(rows, declared)
    frame = pl.read_parquet(to_parquet(listed, schema))
    return frame.drop([name for name in FIXED_TRIAL_COLUMNS if name not in ("architecture",)])


def test_types_that_do_not_go_together_are_shown_as_texts() -> None:
    declared = [("a", "norm", pa.string()), ("b", "norm", pa.bool_())]
    frame = written([row("a", norm="rms"), row("b", norm=True), row("b", norm=None)], declared)
    assert frame["norm"].to_list() == ["rms", "true", None]


def test_whole_and_real_numbers_share_a_column_and_none_is_rounded() -> None:
    declared = [("a", "ratio", pa.int64()), ("b", "ratio", pa.float64())]
    frame = written([row("a", ratio=2), row("b", ratio=1.25)], declared)
    assert frame["ratio"].to_list() == [2.0, 1.25]
    assert written([row("a", ratio=2), row("a", ratio=1.25)])["ratio"].to_list() == [2.0, 1.25]


def test_several_types_in_one_architecture_are_shown_as_texts() -> None:
    frame = written([row("a", mode=3), row("a", mode="auto"), row("a", mode=True)])
    assert frame["mode"].to_list() == ["3", "auto", "true"]
    (huge,) = written([row("a", width=2**70)])["width"].to_list()
    assert huge == str(2**70)


def test_a_name_that_is_taken_stands_behind_its_architecture() -> None:
    frame = written([row("mine", device="cpu", seed=3, width=8)])
    assert frame.select("mine/device", "mine/seed", "width").row(0) == ("cpu", 3, 8)


def test_a_declared_hyperparameter_without_values_has_its_column() -> None:
    frame = written([], [("a", "dropout", pa.float64()), ("a", "seed", pa.int64())])
    assert frame.schema == {"architecture": pl.String, "dropout": pl.Float64, "a/seed": pl.Int64}


values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
)
names = st.sampled_from([*sorted(FIXED_TRIAL_COLUMNS), "width", "mean"])


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "ü [2]"]), st.dictionaries(names, values)),
        max_size=6,
    )
)
@settings(max_examples=300)
def test_whatever_was_trained_can_be_written(rows: list[tuple[str, dict[str, Any]]]) -> None:
    frame = written([row(architecture, **own) for architecture, own in rows])
    for number, (architecture, own) in enumerate(rows):
        for name, value in own.items():
            column = setting_name(architecture, name)
            found = frame[column][number] if column in frame.columns else None
            if value is None or isinstance(value, str):
                assert found == value
            else:
                assert found == value or json.loads(found) == value


def older_row(**own: Any) -> Row:
    """Return a row as versions wrote it that let own arguments overwrite columns."""
    config = json.dumps({"name": "mine", "model": own, "training": {}, "seed": 7})
    honest = {
        "trial_id": hashlib.blake2b(config.encode(), digest_size=8).hexdigest(),
        "architecture": "mine",
        "status": "running",
        "cohort": "searched",
        "seed": 7,
        "num_params": 10,
        "num_attempts": 1,
        "config": config,
        "step": None,
    }
    return honest | own


@pytest.mark.parametrize("name", sorted(FIXED_TRIAL_COLUMNS - {"config"}))
@pytest.mark.parametrize("value", [3, "small"])
def test_a_folder_that_an_argument_has_spoilt_opens_again(
    tmp_path: Path, name: str, value: object
) -> None:
    spoilt = older_row(**{name: value})
    with closing(Store(tmp_path, ())) as store:
        store._journal.append(("trials", spoilt))
    with closing(Store(tmp_path, ())) as store:
        (known,) = store.trials.values()
        store.seal()
    assert known == read_journal(tmp_path)["trials"][0]
    assert known == repaired(known)
    honest = older_row()
    frame = pl.read_parquet(tmp_path / "trials" / "*.parquet")
    assert frame[f"mine/{name}"].to_list() == [value]
    assert frame["seed"].to_list() == [7]
    assert frame["architecture"].to_list() == ["mine"]
    assert frame["status"].to_list() == ["running"]
    expected = hashlib.blake2b(spoilt["config"].encode(), digest_size=8).hexdigest()
    assert frame["trial_id"].to_list() == [expected]
    assert honest["cohort"] == frame["cohort"][0]


def test_a_folder_whose_configuration_was_overwritten_opens_too(tmp_path: Path) -> None:
    with closing(Store(tmp_path, ())) as store:
        store._journal.append(("trials", older_row() | {"config": "small"}))
    with closing(Store(tmp_path, ())) as store:
        store.seal()
        (known,) = store.trials.values()
    assert json.loads(known["config"])["model"] == {}


def test_texts_that_utf_8_cannot_hold_are_written_all_the_same(tmp_path: Path) -> None:
    with closing(Store(tmp_path, ())) as store:
        store.commit(("trials", row("mine") | {"error": "half \ud83d, whole \ud83d\ude00"}))
        store.note("failed", "a file called \udcff", "t")
        store.seal()
    trials = pl.read_parquet(tmp_path / "trials" / "*.parquet")
    assert trials["error"].to_list() == ["half \ufffd, whole 😀"]
    assert read_journal(tmp_path)["trials"][0]["error"] == trials["error"][0]
    incidents = pl.read_parquet(tmp_path / "incidents" / "*.parquet")
    assert incidents["text"].to_list() == ["a file called \ufffd"]
