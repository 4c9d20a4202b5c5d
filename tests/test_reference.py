"""The generated reference says what the code says."""

import pytest

from docs.reference.__main__ import FOLDER, pages
from picosweep.sweeps.store.columns import ALL


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_is_what_the_code_says_now(name: str) -> None:
    written = (FOLDER / name).read_text()
    assert written == pages()[name], f"docs/reference/{name} is stale: run `make reference`"


def test_no_page_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(pages())


def test_every_column_and_every_setting_has_its_line() -> None:
    text = pages()
    for name in ALL:
        assert f"| `{name}` |" in text["tables.md"]
    for setting in ("reports_per_rung", "max_documents", "minutes_without_report"):
        assert f"| `{setting}` |" in text["spec.md"]
    assert "| `learning_rate` | number | `0.001` | above 0 |" in text["hyperparameters.md"]
