"""What the documents say of the code is so: folders, files, links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("picosweep", "analysis", "sweeps", "pico")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PATH = re.compile(r"`((?:picosweep|analysis|sweeps|pico|tests|benchmarks|docs)/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
HISTORY = ("CHANGELOG.md", "LOG.md")
"""Documents that speak of the past: what they name may be gone."""


def _packages() -> Iterator[tuple[str, str]]:
    """Each package's folder and the first paragraph of its docstring."""
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("__init__.py")):
            folder = path.parent.relative_to(ROOT)
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            is_link = any((ROOT / parent).is_symlink() for parent in (folder, *folder.parents))
            if text and not is_link:
                yield str(folder), " ".join(text.split("\n\n")[0].split())


def _tree() -> dict[str, str]:
    """The folders that the tour lists, with their sentences."""
    block = (ROOT / "docs/architecture.md").read_text().split("```")[1]
    found: dict[str, str] = {}
    above: list[str] = []
    for line in block.strip("\n").splitlines():
        name, sentence = line.split("/", 1)
        depth = (len(name) - len(name.lstrip())) // 2
        above[depth:] = [name.strip()]
        found["/".join(above)] = sentence.strip()
    return found


def test_the_tour_lists_every_folder_with_its_own_sentence() -> None:
    assert _tree() == dict(_packages())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [found for found in LINK.findall(text) if "://" not in found]
    dead = [link for link in links if not (document.parent / link).exists()]
    if document.name not in HISTORY and document.parent.name != "adr":
        dead += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not dead
