"""Any folder with the tables' schema gives a sensible page, never an exception."""

from collections.abc import Callable
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl
import pytest

from picosweep.analysis.answer.answer import answer
from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.results import load
from tests.analysis.handmade import SPACES, write_sweep

QUESTIONS = [question for chapter in CHAPTERS for question in chapter.questions]
Change = Callable[[pl.DataFrame], pl.DataFrame]


def change(folder: Path, table: str, how: Change) -> None:
    """Rewrites a table of a folder."""
    file = folder / table / "part-000000.parquet"
    how(pl.read_parquet(file)).write_parquet(file)


def one_trial(folder: Path) -> None:
    """A sweep of a single completed trial."""
    write_sweep(folder, trials_per_architecture=1, architectures=("kgram",), confirm_seeds=0)


def none_completed(folder: Path) -> None:
    """Everything is still running and has one report."""
    write_sweep(folder, trials_per_architecture=2, architectures=("kgram", "lstm"))
    change(folder, "reports", lambda frame: frame.filter(pl.col("rung") == 0))
    change(
        folder,
        "trials",
        lambda frame: frame.with_columns(status=pl.lit("running"), rung=pl.lit(0, pl.Int64)),
    )


def all_diverged(folder: Path) -> None:
    """No trial has a finite loss."""
    write_sweep(folder, trials_per_architecture=2, architectures=("kgram", "lstm"))
    nan = pl.lit(float("nan"))
    losses = ["val_loss", "val_accuracy", "val_perplexity", "bits_per_byte", "train_loss"]
    change(folder, "reports", lambda f: f.with_columns(nan.alias(name) for name in losses))
    change(
        folder,
        "trials",
        lambda f: f.with_columns(
            *(nan.alias(name) for name in [*losses, "best_val_loss"]),
            status=pl.lit("diverged"),
            rung=pl.lit(None, dtype=pl.Int64),
        ),
    )


def no_reports(folder: Path) -> None:
    """A trials table alone."""
    write_sweep(folder, trials_per_architecture=3, architectures=("lstm",))
    for table in ("reports", "decisions", "samples"):
        for file in (folder / table).iterdir():
            file.unlink()


def bare_columns(folder: Path) -> None:
    """Identifiers and a loss, and no other column anywhere."""
    write_sweep(folder, trials_per_architecture=3, architectures=("lstm", "kgram"))
    change(folder, "trials", lambda f: f.select("trial_id", "architecture", "val_loss", "status"))
    change(folder, "reports", lambda f: f.select("trial_id", "tokens", "val_loss"))


def constant_settings(folder: Path) -> None:
    """Every trial has the same settings, and all losses are equal."""
    write_sweep(folder, trials_per_architecture=10, architectures=("kgram",), confirm_seeds=2)
    names = [*SPACES["kgram"], "learning_rate"]
    same = [pl.col(name).first() for name in [*names, "val_loss", "best_val_loss", "num_params"]]
    change(folder, "trials", lambda f: f.with_columns(same))
    change(folder, "reports", lambda f: f.with_columns(pl.col("val_loss").drop_nans().first()))


def eighty_settings(folder: Path) -> None:
    """More settings than trials, numbers, texts and lists among them."""
    write_sweep(folder, trials_per_architecture=12, architectures=("kgram",))
    generator = np.random.default_rng(0)

    def widen(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            *(pl.Series(f"n{i}", generator.random(frame.height)) for i in range(60)),
            *(pl.Series(f"c{i}", generator.choice(list("xyz"), frame.height)) for i in range(19)),
            layers=pl.Series([[1, 2]] * frame.height),
        )

    change(folder, "trials", widen)


def two_reports_of_everything(folder: Path) -> None:
    """Parts that overlap, as after a repair."""
    write_sweep(folder, trials_per_architecture=2, architectures=("lstm",))
    for table in ("trials", "reports", "decisions", "samples"):
        file = folder / table / "part-000000.parquet"
        file.with_name("part-000001.parquet").write_bytes(file.read_bytes())


def zero_cost(folder: Path) -> None:
    """Token counts, FLOPs and times are all zero or missing."""
    write_sweep(folder, trials_per_architecture=4, architectures=("lstm",))
    zeros = [pl.lit(0).cast(pl.Float64).alias(name) for name in ("flops", "seconds")]
    change(folder, "trials", lambda f: f.with_columns(*zeros, tokens=pl.lit(0, pl.Int64)))
    change(folder, "reports", lambda f: f.with_columns(*zeros))


ODD = (
    one_trial, none_completed, all_diverged, no_reports, bare_columns, constant_settings,
    eighty_settings, two_reports_of_everything, zero_cost,
)  # fmt: skip


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_an_odd_folder_gets_an_answer(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Each question gives a figure with a sentence, or is left out; the first screen stands."""
    make(tmp_path / "odd")
    results = load(tmp_path / "odd")
    with alt.utils.schemapi.debug_mode(False):
        figures = ask(QUESTIONS, results, strict=True)
        for figure in figures:
            for panel in figure.panels:
                assert panel.sentence.strip(), figure.key
                assert " nan" not in panel.sentence, figure.key
                assert "None" not in panel.sentence, figure.key
    first = answer(results)
    assert first.verdict
    assert first.tiles


def test_all_diverged_says_so(tmp_path: Path) -> None:
    """The first words are that nobody won."""
    all_diverged(tmp_path / "odd")
    first = answer(load(tmp_path / "odd"))
    assert first.verdict == "No winner yet"
    assert "finite loss" in first.sentence


def test_an_unfinished_sweep_says_how_far_it_is(tmp_path: Path) -> None:
    """While no trial has reached the end, the lowest loss and who runs are told."""
    none_completed(tmp_path / "odd")
    results = load(tmp_path / "odd")
    least = results.reports.sort("val_loss").row(0, named=True)
    sentence = answer(results).sentence
    assert f"so far is {least['val_loss']:.3f}, by {least['architecture']}" in sentence
    assert sentence.endswith(f"{results.trials.height} trials are still running.")


def test_a_broken_question_does_not_take_the_page_with_it(demo: Path) -> None:
    """The figure says what went wrong, the others stand; strict mode raises."""

    def broken(results: object) -> None:
        raise ZeroDivisionError("no trials <b>")

    results = load(demo)
    figures = ask([broken], results)
    assert "ZeroDivisionError: no trials <b>" in figures[0].panels[0].sentence
    with pytest.raises(ZeroDivisionError):
        ask([broken], results, strict=True)
