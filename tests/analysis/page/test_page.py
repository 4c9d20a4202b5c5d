import json
import re
from pathlib import Path

import altair as alt
import polars as pl
import pytest

from picosweep.analysis.answer.answer import commands, results_option
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.page.page import Section, _prose
from picosweep.analysis.page.page_data import MAX_ROWS, Payload, encode, label, safe_json
from picosweep.analysis.report import render_report
from picosweep.analysis.results import Results


def test_hostile_text_stays_text(hostile_page: str) -> None:
    """No markup from the data survives unescaped, in HTML or in the JSON."""
    assert "alert(1)</script>" not in hostile_page
    assert "<img src=x" not in hostile_page
    assert hostile_page.count("<script") == 3
    assert "&lt;img src=x onerror=alert(2)&gt;" in hostile_page


def test_scripts_and_styles_are_the_hashed_ones(hostile_page: str) -> None:
    """The policy allows exactly the page's own scripts and style, and no attribute styles."""
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', hostile_page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert policy[1].count("'sha256-") == 3


def payload_of(page: str) -> dict[str, object]:
    """The page's JSON."""
    found = re.search(r'id="payload">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_what_cannot_be_said_is_a_line_at_the_end(results: Results) -> None:
    """A question without an answer takes no card and no chapter; one that has a sentence does."""
    nothing = Figure(key="why", title="Why", panels=(Panel(sentence="Too <few> trials."),))
    plain = Figure(key="how", title="How", panels=(Panel(sentence="So."),), plain=True)
    chapters = [
        Section(key="empty", title="Only questions", lead="", figures=(nothing,)),
        Section(key="full", title="Answers", lead="", figures=(plain,)),
    ]
    page = render_report(results, sections=chapters)
    assert "Only questions" not in page
    assert '<article class="figure" id="how">' in page
    last = page.partition('<section id="missing"')[2]
    assert '<li id="why"><b>Why</b> Too &lt;few&gt; trials.</li>' in last
    assert 'id="how"' not in last
    whole = render_report(results, sections=[chapters[1]])
    assert "What cannot be said yet" not in whole


def test_equal_datasets_are_stored_once() -> None:
    """Two charts of the same frame share it, and so do equal frames."""
    payload = Payload()
    frame = pl.DataFrame({"x": [1, 2], "y": [0.5, None]})
    chart = alt.Chart(frame).mark_point().encode(x=alt.X("x:Q"), y=alt.Y("y:Q"))
    payload.add_chart("one", chart)
    payload.add_chart("two", alt.layer(chart, chart))
    assert payload.add_table(frame.clone()) in payload.datasets
    assert len(payload.datasets) == 1
    assert "values" not in json.dumps(payload.charts)


def test_json_holds_no_number_that_json_lacks() -> None:
    """NaN and infinities become null, floats keep six digits, times become text."""
    frame = pl.DataFrame({"x": [float("nan"), float("inf"), 1.23456789]})
    assert encode(frame)["values"] == [[None, None, 1.23457]]
    assert "</" not in safe_json({"a": "</script>"})


def test_a_chart_of_too_many_rows_is_a_mistake() -> None:
    """Drawing raw rows by the ten thousand is refused."""
    with pytest.raises(ValueError, match="rows for one chart"):
        encode(pl.DataFrame({"x": range(MAX_ROWS + 1)}))


def test_settings_keep_their_names() -> None:
    """Known columns get headings, hyperparameters stay as the spec has them."""
    assert label("val_loss") == "Val. loss"
    assert label("embed_size") == "embed_size"


def test_commands_say_where_the_results_lie(results: Results, tmp_path: Path) -> None:
    """The usual folder goes without saying; any other is named and quoted, not where it lies."""
    folder = tmp_path / "my results" / "demo"
    moved = Results(
        trials=results.trials, reports=results.reports, decisions=results.decisions,
        samples=results.samples, folders=(folder,),
    )  # fmt: skip
    assert commands("abc", moved)[0][1].endswith(" --results 'my results'")
    usual = Results(
        trials=results.trials, reports=results.reports, decisions=results.decisions,
        samples=results.samples, folders=(Path("results/demo"),),
    )  # fmt: skip
    assert results_option(usual) == ""


def test_the_payload_is_read_back(hostile_page: str) -> None:
    """The JSON in the page parses, and every chart's data is among its datasets."""
    payload = payload_of(hostile_page)
    datasets, charts = payload["datasets"], payload["charts"]
    assert isinstance(datasets, dict)
    names = set(re.findall(r'"name": "(d[0-9a-f]{10})"', json.dumps(charts)))
    assert names
    assert names <= set(datasets)


def test_numbers_stay_with_their_units() -> None:
    """A line never breaks inside 7 min 03 s or 590 k; words of the text still part."""
    shown = _prose("In 7 min 03 s or 2 h 05 min, 590 k tokens & 36 % more.")
    assert shown == (
        "In 7\N{NO-BREAK SPACE}min\N{NO-BREAK SPACE}03\N{NO-BREAK SPACE}s or "
        "2\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}05\N{NO-BREAK SPACE}min, "
        "590\N{NO-BREAK SPACE}k tokens &amp; 36\N{NO-BREAK SPACE}% more."
    )
