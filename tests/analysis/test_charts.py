import json
from collections.abc import Iterator
from typing import Any

import altair as alt
import pytest

from picosweep.analysis.chapters import CHAPTERS, ask
from picosweep.analysis.page.figure import Figure
from picosweep.analysis.page.page_data import Payload
from picosweep.analysis.results import Results

QUESTIONS = [question for chapter in CHAPTERS for question in chapter.questions]
COMPUTED = {"zero"}


def fields(node: Any) -> Iterator[str]:
    """Every field that an encoding, facet or sort names."""
    if isinstance(node, dict):
        if isinstance(node.get("field"), str):
            yield node["field"]
        for value in node.values():
            yield from fields(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields(value)


@pytest.fixture(scope="module")
def figures(results: Results) -> list[Figure]:
    """Every figure of the hand-written sweep."""
    with alt.utils.schemapi.debug_mode(False):
        return ask(QUESTIONS, results, strict=True)


def test_every_question_has_an_exhibit(figures: list[Figure]) -> None:
    """On a full sweep all but two: the comparison of several sweeps, and preferences."""
    keys = [figure.key for figure in figures]
    assert len(keys) == len(set(keys)) == len(QUESTIONS) - 2
    for figure in figures:
        for panel in figure.panels:
            assert panel.sentence.strip().endswith((".", "memory")), panel.sentence
            assert "None" not in panel.sentence
            assert "nan" not in panel.sentence.replace("finance", "").split()


def test_every_encoded_field_exists(figures: list[Figure]) -> None:
    """A misspelt field draws an empty chart without an error, so it is looked for here."""
    for figure in figures:
        for panel in figure.panels:
            if panel.chart is None:
                continue
            payload = Payload()
            payload.add_chart("chart", panel.chart)
            columns = {
                column["key"]
                for dataset in payload.datasets.values()
                for column in dataset["columns"]
            }
            used = set(fields(payload.charts["chart"]))
            assert used <= columns | COMPUTED, (figure.key, used - columns)


def test_charts_obey_the_schema(figures: list[Figure]) -> None:
    """One panel of each figure is valid Vega-Lite, which readers' machines do not check again."""
    for figure in figures:
        chart = figure.panels[0].chart
        if chart is not None:
            specification = chart.to_dict(validate=True)
            assert json.dumps(specification, allow_nan=False)


def test_every_chart_has_its_data_as_a_table(figures: list[Figure]) -> None:
    """What is drawn can be downloaded."""
    for figure in figures:
        for panel in figure.panels:
            assert panel.chart is None or panel.table is not None, figure.key
