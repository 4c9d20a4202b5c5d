"""The generated reference says what the code says."""

from pathlib import Path

import pytest

from docs.reference.__main__ import FOLDER, pages
from picosweep.sweeps.store.columns import ALL


@pytest.mark.parametrize("file", sorted(pages()), ids=lambda file: file.name)
def test_a_page_is_what_the_code_says_now(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == pages()[file], "stale: run `make reference`"


def test_no_page_is_left_over() -> None:
    assert set(FOLDER.glob("*.md")) == {file for file in pages() if file.parent == FOLDER}


def test_every_column_and_every_setting_has_its_line() -> None:
    text = {file.name: content for file, content in pages().items()}
    for name in ALL:
        assert f"| `{name}` |" in text["tables.md"]
    for setting in ("reports_per_rung", "max_documents", "minutes_without_report"):
        assert f"| `{setting}` |" in text["spec.md"]
    assert "| `learning_rate` | number | `0.001` | above 0 |" in text["hyperparameters.md"]
