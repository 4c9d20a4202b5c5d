"""docs/python.md: its code runs from top to bottom, and the notebook beside it is the same."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.notebook import GUIDE, NOTEBOOK, cells

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.timeout(180)
def test_the_guides_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder; each line that a notebook would show has something to show."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(CODE.findall(GUIDE.read_text(encoding="utf-8")))
    names: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    for statement in ast.parse(code).body:
        source = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            shown[source] = eval(source, names)
        else:
            exec(source, names)
    assert len(names["done"].trials) == 8
    assert "sweep first: completed" in repr(shown["done"])
    assert shown["results"]._repr_html_().count("<tr>") == 3
    assert shown["results.trials.filter(architecture='kgram').select('trial_id', 'learning_rate', "
                 "'val_loss')"].height == 4  # fmt: skip
    charts = [value for source, value in shown.items() if source.startswith("picosweep.charts.")]
    assert len(charts) == 3
    assert all(chart.to_dict() for chart in charts)
    assert names["best"]["trial_id"][:8] in repr(shown["model"])
    assert shown["model.generate('The ', num_tokens=20, temperature=0.8)"]
    assert names["logits"].shape[1] == 512
    assert [step for step, _ in names["curve"]] == [20, 40]
    assert names["curve"][0][1] > names["curve"][1][1]


def test_the_notebook_is_the_guide_with_what_came_out() -> None:
    """Cell by cell; every cell that shows something has shown it, and nothing failed."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    kept = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    assert kept == cells(), "stale: run `make notebook`"
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", ())]
    assert not [out for out in outputs if out["output_type"] == "error"]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == 3
    assert "/tmp/" not in NOTEBOOK.read_text(encoding="utf-8")
