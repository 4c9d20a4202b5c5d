"""`picosweep report`: the page, the images, the summary, the comparison, the watch."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from picosweep.analysis.chapters import CHAPTERS
from picosweep.cli import app
from picosweep.commands import report as reporting
from picosweep.sweeps.errors import InputError
from tests.analysis.handmade import write_sweep

SMALL = {"trials_per_architecture": 3, "architectures": ("kgram", "lstm")}


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with two sweeps, the later one better by 0.2; one chapter is enough."""
    monkeypatch.setattr("picosweep.analysis.report.CHAPTERS", CHAPTERS[:1])
    write_sweep(tmp_path / "before", name="before", **SMALL)
    write_sweep(tmp_path / "after", name="after", seed=0, shift=-0.2, **SMALL)
    return tmp_path


def run(*arguments: object) -> str:
    """What the command prints on standard output; an error is raised as it is."""
    found = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    assert found.exit_code == 0
    return found.stdout


def test_the_page_lands_beside_the_tables_and_its_path_is_printed(two: Path) -> None:
    """Without options: the page in the sweep's folder, its path alone on a line."""
    printed = run("before", "--results", two)
    page = two / "before" / "report.html"
    assert printed.strip() == str(page)
    assert "lstm" in page.read_text(encoding="utf-8")


def test_the_page_goes_where_it_is_told(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a folder, or below a home that no shell has filled in; a place that is none is named."""
    monkeypatch.setenv("HOME", str(two / "home"))
    (two / "folder").mkdir()
    (two / "home").mkdir()
    run("before", "--results", two, "-o", two / "folder")
    assert (two / "folder" / "report.html").exists()
    run("before", "--results", two, "--output=~/page.html")
    assert (two / "home" / "page.html").exists()
    blocked = two / "home" / "page.html" / "below.html"
    with pytest.raises(InputError, match=r"page\.html.*cannot be written: File exists"):
        run("before", "--results", two, "-o", blocked)
    (two / "before" / "report.html").mkdir()  # as good as a folder that is for reading alone
    with pytest.raises(InputError, match=r"before/report\.html: cannot be written(.|\n)*--output"):
        run("before", "--results", two)


def test_json_holds_the_answer_and_the_files(two: Path) -> None:
    """A script reads the verdict, the rows behind it and where the files are."""
    folder = two / "charts"
    found = json.loads(run("before", "--results", two, "--json", "--images", folder))
    assert found["winner"] == "lstm"
    assert found["best"][0]["mean"] < found["best"][1]["mean"]
    assert found["change"] == []
    names = [Path(image).name for image in found["images"]]
    assert names == ["best-settings.png", "best-settings.svg", "spend.png", "spend.svg"]
    assert all((folder / name).stat().st_size > 1000 for name in names)


def test_comparing_leads_with_the_change(two: Path) -> None:
    """The first screen says which way it went, and the first figure shows it."""
    output = two / "change.html"
    found = json.loads(
        run("before", "after", "--results", two, "--compare", "--json", "-o", output)
    )
    assert found["verdict"] == "after is not shown to be better or worse than before"
    assert {row["verdict"] for row in found["change"]} == {"luck of the search"}  # of 3 trials each
    page = output.read_text(encoding="utf-8")
    assert "<title>before → after" in page
    assert page.index("sweeps-tab-0") < page.index("sweeps-tab-1")
    assert (
        'id="sweeps-tab-0" aria-controls="sweeps-0" aria-selected="true" tabindex="0">Before'
        in (page)
    )


@pytest.mark.parametrize("names", [["before"], ["before", "before"], ["before", "after", "third"]])
def test_only_two_different_sweeps_compare(two: Path, names: list[str]) -> None:
    """Anything else is bad input, whether or not it watches."""
    write_sweep(two / "third", name="third", **SMALL)
    with pytest.raises(InputError, match="two sweeps"):
        run(*names, "--results", two, "--compare")


def test_a_missing_sweep_is_bad_input(two: Path) -> None:
    """The message offers the nearest name."""
    with pytest.raises(InputError, match="did you mean before"):
        run("befor", "--results", two)


def test_watching_ends_when_the_driver_has_come_and_gone(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starts before the sweep does, writes when tables appear, ends with the driver."""
    drivers = iter([None, "process 1", "process 1", None])
    looks: list[int] = []

    def running(folder: Path) -> str | None:
        assert folder == two / "late"
        looks.append(1)
        if len(looks) == 2:
            write_sweep(folder, name="late", **SMALL)
        return next(drivers)

    monkeypatch.setattr(reporting, "running_driver", running)
    written: list[Path] = []
    reporting.watch_report("late", seconds=0, written=written.append, results=two)
    assert len(looks) == 4
    assert written == [two / "late" / "report.html"]
    assert written[0].exists()


def test_watching_writes_a_page_and_nothing_else(two: Path) -> None:
    """Images and JSON have no end to be written at."""
    with pytest.raises(InputError, match="--watch"):
        run("before", "--results", two, "--watch", "--json")
