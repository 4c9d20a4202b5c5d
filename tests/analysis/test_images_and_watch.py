import os
from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis import watch as watching
from picosweep.analysis.answer.spend import figure
from picosweep.analysis.chapters import CHAPTERS
from picosweep.analysis.images import fixed_width, render_image, write_images
from picosweep.analysis.results import Results, load
from picosweep.analysis.watch import signature, watch
from tests.analysis.handmade import write_sweep


def test_a_chart_becomes_an_image(results: Results) -> None:
    """PNG and SVG bytes, in both themes, without a browser or a network."""
    chart = figure(results).panels[0].chart
    assert chart is not None
    assert render_image(chart, "png").startswith(b"\x89PNG")
    svg = render_image(chart, "svg", "dark").decode()
    assert svg.startswith("<svg")
    assert "linear_transformer" in svg
    assert "#151a21" in svg


def test_every_panel_gets_its_file(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are named after the figure and the panel; a chapter is enough to see it."""
    monkeypatch.setattr("picosweep.analysis.report.CHAPTERS", CHAPTERS[:1])
    files = write_images(demo, tmp_path / "images", formats=("svg",))
    assert [file.name for file in files] == ["best-settings.svg", "spend.svg"]


def test_fluid_widths_become_fixed() -> None:
    """A chart as wide as its page gets a width; any other keeps its own."""
    assert fixed_width({"width": "container"})["width"] == 720
    assert fixed_width({"width": 300})["width"] == 300


def test_watching_writes_again_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waits for the first trial, writes, stays still, and writes again when a table changes."""
    folder, output = tmp_path / "sweep", tmp_path / "report.html"
    looks: list[int] = []
    written: list[Path] = []
    monkeypatch.setattr(watching, "write_report", lambda *_, **__: output)

    def until() -> bool:
        looks.append(len(written))
        if len(looks) == 1:
            write_sweep(folder, trials_per_architecture=1, architectures=("lstm",))
        if len(looks) == 3:
            file = folder / "trials" / "part-000000.parquet"
            pl.read_parquet(file).head(1).write_parquet(file)
            os.utime(file, ns=(1, 1))
        return len(looks) == 5

    watch(folder, output, seconds=0, until=until, written=written.append)
    assert looks == [0, 1, 1, 2, 2]


def test_a_live_page_reloads_itself_only_while_a_trial_runs(tmp_path: Path) -> None:
    """The pace is in the page while something is running, and gone when all has ended."""
    from picosweep.analysis.report import render_report

    folder = write_sweep(tmp_path / "s", trials_per_architecture=2, architectures=("kgram",))
    results = load(folder)
    running = Results(
        trials=results.trials.with_columns(status=pl.lit("running")),
        reports=results.reports, decisions=results.decisions, samples=results.samples,
    )  # fmt: skip
    assert '"refresh":7' in render_report(running, refresh_seconds=7)
    assert '"refresh":null' in render_report(results, refresh_seconds=7)


def test_signatures_follow_the_tables(demo: Path) -> None:
    """The same tables have the same signature; no tables have an empty one."""
    assert signature([demo]) == signature([demo])
    assert signature([demo / "absent"]) == frozenset()
