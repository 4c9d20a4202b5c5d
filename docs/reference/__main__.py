"""Write the reference of settings, hyperparameters and tables from the code that holds them.

`python -m docs.reference` (or `make reference`) rewrites the three pages beside this file, and what
`picosweep explain` and `picosweep schema` print; a test compares all with what `pages` returns.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from docs.reference.collect import all_groups
from docs.reference.json_schema import spec_schema
from picosweep.start.settings import SCHEMA_FILE, SETTINGS_FILE, Group
from picosweep.sweeps.store.columns import COLUMNS
from picosweep.sweeps.store.schema.column import Column
from picosweep.sweeps.store.tables import KEYS

FOLDER: Final = Path(__file__).parent
START: Final = FOLDER.parents[1] / "picosweep" / "start"
_MADE: Final = "Made from the code by `make reference`; a test says when it is stale.\n"


def pages() -> dict[Path, str]:
    """Return the text of each file by its path."""
    groups = all_groups()
    return {
        FOLDER / "spec.md": _spec_page([group for group in groups if group.is_section]),
        FOLDER / "hyperparameters.md": _hyperparameters_page(
            [group for group in groups if not group.is_section]
        ),
        FOLDER / "tables.md": _tables_page(),
        START / SETTINGS_FILE: _json([asdict(group) for group in groups]),
        START / SCHEMA_FILE: _json(spec_schema()),
    }


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _spec_page(sections: Sequence[Group]) -> str:
    text = (
        f"# {sections[0].title}\n\n{_MADE}\n"
        "[The guide to the spec](../spec.md) says how they play together.\n\n"
    )
    parts = [_group_table("setting", sections[0])]
    for section in sections[1:]:
        parts += [f"## `{section.name}`\n\n{section.title}\n", _group_table("setting", section)]
    return text + "\n".join(parts)


def _hyperparameters_page(groups: Sequence[Group]) -> str:
    parts = [
        "# Every hyperparameter\n",
        _MADE,
        "An architecture's entry in a spec, and `common`, may hold each of these: fixed, as "
        "choices or as a range ([how to write them](../spec.md#architectures-common-constraints))."
        " A class of your own has its constructor's arguments instead of an architecture's.\n",
    ]
    for group in groups[:-1]:
        parts += [f"## {group.title}\n", _group_table("hyperparameter", group)]
    facts = groups[-1]
    rows = [(f"`{fact.name}`", fact.meaning) for fact in facts.settings]
    parts += [f"## {facts.title}\n", _table(("fact", "meaning"), rows)]
    return "\n".join(parts)


def _group_table(head: str, group: Group) -> str:
    rows = [
        (f"`{one.name}`", one.type, one.default, one.range, one.meaning) for one in group.settings
    ]
    return _table((head, "type", "default", "range", "meaning"), rows)


def _tables_page() -> str:
    parts = [
        "# Every column of the result tables\n",
        _MADE,
        "A sweep's folder holds each table as Parquet files: "
        "`results/<sweep>/<table>/*.parquet`. `trials` has one more column for every "
        "[hyperparameter](hyperparameters.md) of the sweep, null where an architecture does not "
        "have it.\n",
    ]
    for table, columns in COLUMNS.items():
        key = " and ".join(f"`{name}`" for name in KEYS[table])
        parts.append(f"## `{table}`\n\nOne row for each {key}.\n")
        rows = [(f"`{c.name}`", str(c.type), c.unit, _meaning(c)) for c in columns]
        parts.append(_table(("column", "type", "unit", "meaning"), rows))
    return "\n".join(parts)


def _meaning(column: Column) -> str:
    said = column.meaning
    if column.values:
        said += ": " + "; ".join(f"`{name}` {means}" for name, means in column.values.items())
    return said + (" *(depends on the machine)*" if column.of_machine else "")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    escaped = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in escaped) + "\n"


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
