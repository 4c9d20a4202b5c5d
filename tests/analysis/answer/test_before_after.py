"""Two sweeps as before and after."""

import json
from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis.answer.before_after import before_after_table, change_table
from picosweep.analysis.answer.change import change_answer, change_verdict
from picosweep.analysis.results import load
from tests.analysis.handmade import write_sweep

SMALL = {"trials_per_architecture": 3, "architectures": ("kgram", "lstm")}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "old and new have nothing in common to compare"),
        (["better", "better"], "new is better than old"),
        (["worse", "within noise"], "new is worse than old for a"),
        (["better", "worse"], "new is better for a, worse for b"),
        (["within noise", "unknown"], "old and new cannot be told apart"),
        (["luck of the search", "within noise"], "new is not shown to be better or worse than old"),
        (["unknown", "unknown"], "Nobody can say whether new is better than old"),
    ],
)
def test_the_verdict_calls_nothing_better_that_may_be_noise(
    verdicts: list[str], expected: str
) -> None:
    """Each mixture of what happened to the architectures has its words."""
    schema = {"architecture": pl.String, "verdict": pl.String}
    rows = list(zip("abc", verdicts, strict=False))
    assert change_verdict(pl.DataFrame(rows, schema, orient="row"), "old", "new") == expected


def test_the_best_confirmed_setting_of_each_sweep_counts() -> None:
    """With two settings on fresh seeds, the better one is the sweep's answer."""
    rows = [
        *(("old", 1, loss) for loss in (3.0, 3.1)),
        *(("new", 1, loss) for loss in (3.4, 3.5)),
        *(("new", 2, loss) for loss in (2.0, 2.1)),
    ]
    whole = pl.DataFrame(rows, ["sweep", "width", "val_loss"], orient="row").with_columns(
        architecture=pl.lit("a"), cohort=pl.lit("confirm")
    )
    both = before_after_table(whole, "old", "new").row(0, named=True)
    best = before_after_table(whole, "old", "new", settings=["width"]).row(0, named=True)
    assert both["after"] == pytest.approx(2.75)
    assert best["after"] == pytest.approx(2.05)
    assert best["trials_after"] == 2


def test_a_change_must_be_more_than_another_search(tmp_path: Path) -> None:
    """With trials enough a real change is called one; the same setting needs no search."""
    many = {"trials_per_architecture": 24, "architectures": ("kgram", "lstm")}
    for name, shift in (("old", 0.0), ("new", -0.5)):
        write_sweep(tmp_path / name, name=name, seed=int(shift != 0), shift=shift, **many)
    results = load([tmp_path / "old", tmp_path / "new"], compare=True)
    table = change_table(results)
    assert set(table["verdict"]) == {"better"}
    assert "another search" not in change_answer(results).sentence
    rows = [("old", 1, "confirm", 2.0), ("old", 1, "confirm", 2.01)]
    rows += [("new", 1, "confirm", 1.5), ("new", 1, "confirm", 1.51)]
    rows += [(sweep, 1, "searched", 1.0) for sweep in ("old", "new")]
    frame = pl.DataFrame(rows, ["sweep", "width", "cohort", "val_loss"], orient="row").with_columns(
        architecture=pl.lit("a"), status=pl.lit("completed"), rung=pl.lit(2)
    )
    same = before_after_table(frame, "old", "new", settings=["width"], trials=frame)
    assert same["verdict"].to_list() == ["better"]
    other = frame.with_columns(width=pl.when(sweep="new").then(2).otherwise(1))
    found = before_after_table(other, "old", "new", settings=["width"], trials=other)
    assert found["verdict"].to_list() == ["luck of the search"]


def test_sweeps_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """A code change is measured by the same spec in two results folders."""
    folders = [write_sweep(tmp_path / name / "demo", **SMALL) for name in ("old", "new")]
    results = load([*folders, folders[0]], compare=True)
    assert results.sweeps == ("demo (old)", "demo (new)")
    assert set(results.specs) == set(results.sweeps)
    assert set(change_table(results)["verdict"]) <= {"unknown", "within noise"}
    assert results.caveats == ()
    where = " --results new"
    assert all(command.endswith(where) for _, command in change_answer(results).commands)
    assert "cannot be told apart" in change_answer(results).verdict


def test_what_does_not_compare_is_said_first(tmp_path: Path) -> None:
    """Other data or another budget stand on the first screen, not in small print."""
    folders = [write_sweep(tmp_path / name, name=name, **SMALL) for name in ("old", "new")]
    file = folders[1] / "trials" / "part-000000.parquet"
    pl.read_parquet(file).with_columns(
        data_fingerprint=pl.lit("d1"), tokens=pl.col("tokens") * 2
    ).write_parquet(file)
    sentence = change_answer(load(folders, compare=True)).sentence
    assert "different data" in sentence
    assert "old 1,769,472, new 3,538,944" in sentence


def test_one_identifier_with_two_losses_is_told(tmp_path: Path) -> None:
    """Same identifiers promise same losses; where they differ, something else has changed."""
    folders = [write_sweep(tmp_path / name / "demo", **SMALL) for name in ("old", "new")]
    file = folders[1] / "trials" / "part-000000.parquet"
    pl.read_parquet(file).with_columns(val_loss=pl.col("val_loss") + 0.1).write_parquet(file)
    (caveat,) = load(folders).caveats
    assert "under one identifier" in caveat


def test_a_change_without_trials_at_full_budget(tmp_path: Path) -> None:
    """A sweep of another architecture has nothing to compare; the screen still stands."""
    one = write_sweep(tmp_path / "one", name="one", trials_per_architecture=2,
                      architectures=("kgram",))  # fmt: skip
    other = write_sweep(tmp_path / "two", name="two", trials_per_architecture=2,
                        architectures=("lstm",))  # fmt: skip
    screen = change_answer(load([one, other], compare=True))
    assert screen.verdict == "one and two have nothing in common to compare"
    assert json.dumps(screen.tiles) == "[]"
