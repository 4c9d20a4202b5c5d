"""What a notebook shows: short summaries, charts without a network, a model in hand."""

import contextlib
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import altair as alt
import pytest

import picosweep
from picosweep.analysis.page import offline
from picosweep.analysis.results import ResultsError
from picosweep.commands.observer import Observer
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.terminal import notebook
from tests.sweeps.simulation import SPEC, Simulation


@pytest.fixture
def results(simulate: Callable[..., Simulation], tmp_path: Path) -> picosweep.Results:
    """The results of a finished sweep."""
    simulation = simulate(tmp_path)
    assert simulation.run()
    write_json(simulation.store.files.spec, SPEC)
    simulation.store.seal()
    return picosweep.load(simulation.store.folder)


def test_results_are_a_few_lines_and_a_table(results: picosweep.Results) -> None:
    """Not all their rows; names in them are texts and no markup."""
    text, page = repr(results), results._repr_html_()
    best = results.full_budget.sort("val_loss").row(0, named=True)
    assert len(text) < 500
    assert best["trial_id"][:8] in text.splitlines()[1]
    assert f"{best['val_loss']:.4f}" in text
    assert page.count("<tr>") == 1 + len(results.architectures)
    assert best["trial_id"][:8] in page


class Kernel:
    """What a notebook's kernel does with what is displayed."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.places = 0

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> "Kernel":
        assert raw
        assert display_id
        self.places += 1
        self.shown.append(content)
        return self

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(content)


def test_a_cell_shows_how_far_the_sweep_is(
    monkeypatch: pytest.MonkeyPatch, simulate: Callable[..., Simulation], tmp_path: Path
) -> None:
    """In one place, written anew: what is waited for, the table, at last what was done."""
    kernel = Kernel()
    shell = types.SimpleNamespace(kernel=kernel)
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    display = types.SimpleNamespace(display=kernel.display)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "REFRESH_SECONDS", 0.0)
    simulation = simulate(tmp_path)

    class Done:
        def __repr__(self) -> str:
            return "sweep s: completed\n  more"

    def run_sweep(spec: object, *, observer: Observer, **_: object) -> Done:
        observer.say("preparing <data>")
        while not simulation.run(events=1):
            observer.beat(simulation.coordinator, 2)
        return Done()

    monkeypatch.setattr("picosweep.commands.run.run", run_sweep)
    assert repr(picosweep.run({})) == "sweep s: completed\n  more"
    assert kernel.places == 1
    _, first, *during, last = kernel.shown
    assert first["text/plain"] == "preparing <data>"
    assert "preparing &lt;data&gt;" in first["text/html"]
    assert len(during) > 3
    assert "architecture" in during[-1]["text/plain"]
    assert notebook.SAFE in during[-1]["text/plain"]
    assert last["text/plain"] == "sweep s: completed"


def test_elsewhere_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a script, not in IPython's terminal, and not where an observer is given."""
    given: list[object] = []

    def run_sweep(_: object, *, observer: Observer | None, **__: object) -> None:
        given.append(observer)

    monkeypatch.setattr("picosweep.commands.run.run", run_sweep)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    picosweep.run({})
    terminal = types.SimpleNamespace(get_ipython=types.SimpleNamespace)
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    picosweep.run({})
    mine = Observer()
    shell = types.SimpleNamespace(kernel=1)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    picosweep.run({}, observer=mine)
    assert given == [None, None, mine]


def test_every_chart_is_a_function_of_the_results(results: picosweep.Results) -> None:
    """Drawn, or one sentence on why not; `dir` lists them and nothing else."""
    drawn = 0
    for name in dir(picosweep.charts):
        function = getattr(picosweep.charts, name)
        assert function.__name__ == name
        assert "results: what" in function.__doc__
        with contextlib.suppress(ResultsError):
            assert function(results).to_dict()
            drawn += 1
    assert drawn > 15
    with pytest.raises(ResultsError, match="nothing to draw"):
        picosweep.charts.preferences(results)


def test_a_tab_goes_by_its_column_or_by_a_part_of_its_name(results: picosweep.Results) -> None:
    by_column = picosweep.charts.pareto(results, "num_params").to_dict()
    assert by_column == picosweep.charts.pareto(results, "Parameters").to_dict()
    seconds = picosweep.charts.learning_curves(results, "seconds").to_dict()
    assert seconds != picosweep.charts.learning_curves(results).to_dict()
    with pytest.raises(ResultsError, match=r"no tab 'price'; there: 'Parameters', "):
        picosweep.charts.pareto(results, "price")


def test_a_chart_needs_nothing_from_elsewhere(
    results: picosweep.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scripts come once; a chart's texts cannot end the script that they stand in."""
    monkeypatch.setattr(offline, "_sent", set())
    chart = picosweep.charts.pareto(results).properties(title="</script><b>")
    first = offline.render(chart.to_dict())["text/html"]
    second = offline.render(chart.to_dict())["text/html"]
    assert len(first) > 300_000
    assert len(second) < 100_000
    assert not re.search(r"<(script|link)[^>]+(src|href)=", first + second)
    assert "</script><b>" not in second
    places = re.findall(r'getElementById\("([^"]+)"\)', first + second)
    assert len(set(places)) == 2


def test_another_renderer_that_was_chosen_stays() -> None:
    """In a process of its own: the choice is one for all charts."""
    code = (
        "import altair as alt, picosweep; alt.renderers.enable('png'); "
        "picosweep.use_offline_charts(); assert alt.renderers.active == 'png'; "
        "alt.renderers.enable('default'); picosweep.use_offline_charts(); "
        "assert alt.renderers.active == 'picosweep'; "
        "found = alt.Chart().mark_point()._repr_mimebundle_(); "
        "assert 'picosweepVegaEmbed' in found['text/html']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_outside_of_a_notebook_charts_are_as_altair_has_them(results: picosweep.Results) -> None:
    before = alt.renderers.active
    picosweep.charts.pareto(results)
    assert alt.renderers.active == before
    assert json.dumps(picosweep.charts.pareto(results).to_dict())
