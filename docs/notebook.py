"""Make docs/python.ipynb of docs/python.md: the same words and code, run, with what comes out.

`python -m docs.notebook` (or `make notebook`); needs `pip install nbclient ipykernel`. Charts are
kept as pictures, so that pages which show notebooks without running them show the charts.
"""

import re
import tempfile
from pathlib import Path
from typing import Any, Final

GUIDE: Final = Path(__file__).parent / "python.md"
NOTEBOOK: Final = Path(__file__).parent / "python.ipynb"
_CODE: Final = re.compile(r"```python\n(.*?)```\n", re.DOTALL)
_FIRST: Final = """import altair

import picosweep

altair.renderers.enable("png")  # pictures; without it charts can be hovered
picosweep.use_theme()"""


def cells() -> list[tuple[str, str]]:
    """Return the guide as cells, each `markdown` or `code` with its text."""
    found = [("code", _FIRST)]
    text = GUIDE.read_text(encoding="utf-8")
    for number, part in enumerate(_CODE.split(text)):
        if not part.strip():
            continue
        if number % 2 == 0:
            found.append(("markdown", part.strip()))
        else:
            found += [("code", piece) for piece in _pieces(part)]
    return [found[1], found[0], *found[2:]]


def _pieces(code: str) -> list[str]:
    """Return code in pieces of which each ends with what a notebook shows of it."""
    pieces: list[list[str]] = [[]]
    for line in code.strip().split("\n"):
        pieces[-1].append(line)
        if _shows(line):
            pieces.append([])
    return ["\n".join(piece).strip() for piece in pieces if "".join(piece).strip()]


def _shows(line: str) -> bool:
    """Return whether a line is an expression of its own: it begins with a name, and sets none."""
    statement = line.partition("#")[0].rstrip()
    is_name = re.match(r"[a-z_]+[.(\w]*", statement) and not statement.startswith(
        ("import", "from")
    )
    return bool(is_name) and " = " not in statement and not statement.endswith((",", "(", "{"))


def main() -> None:
    """Run the cells in an empty folder, and write the notebook."""
    # Imported here: the test that compares the cells does without them.
    import nbformat  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415

    make: dict[str, Any] = {
        "markdown": nbformat.v4.new_markdown_cell,
        "code": nbformat.v4.new_code_cell,
    }
    notebook = nbformat.v4.new_notebook(
        cells=[make[kind](text, id=f"cell-{n}") for n, (kind, text) in enumerate(cells())],
        metadata={"language_info": {"name": "python"}},
    )
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources=resources, record_timing=False
        ).execute()
        text = nbformat.writes(notebook).replace(str(Path(folder).resolve()), "…")
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
