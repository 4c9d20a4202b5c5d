"""Write the reference of settings, hyperparameters and tables from the code that holds them.

`python -m docs.reference` (or `make reference`) rewrites the three pages beside this file; a test
compares them with what `pages` returns.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from picosweep.pico.data.config import DataConfig, NumbersConfig, TokenizerConfig
from picosweep.pico.facts import Facts
from picosweep.pico.field_checks import Range, meanings_of, ranges_of
from picosweep.pico.models.registry import MODELS, find_architecture
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.spec.hyperparameters import DataSettings
from picosweep.sweeps.spec.schema import Spec, without_null
from picosweep.sweeps.store.columns import COLUMNS
from picosweep.sweeps.store.schema.column import Column
from picosweep.sweeps.store.tables import KEYS

FOLDER: Final = Path(__file__).parent
_MADE: Final = "Made from the code by `make reference`; a test says when it is stale.\n"
_DATA_CLASSES: Final = {
    "DataConfig": DataConfig,
    "TokenizerConfig": TokenizerConfig,
    "NumbersConfig": NumbersConfig,
}
_NONE: Final = re.compile(r"\bNone\b")
"""Python's word, where a writer of YAML reads `null`."""
_BOUNDS: Final = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {
        "spec.md": _spec_page(),
        "hyperparameters.md": _hyperparameters_page(),
        "tables.md": _tables_page(),
    }


def _spec_page() -> str:
    text = (
        f"# Every setting of a spec\n\n{_MADE}\n"
        "[The guide to the spec](../spec.md) says how they play together.\n\n"
    )
    return text + "\n".join(_section(Spec, ()))


def _section(section: type[BaseModel], path: tuple[str, ...]) -> Iterable[str]:
    """Yield the tables of a section, then those of the sections in it."""
    config_class = _DATA_CLASSES.get(section.__name__)
    ranges = ranges_of(config_class) if config_class is not None else {}
    rows: list[tuple[str, ...]] = []
    nested: dict[str, type[BaseModel]] = {}
    for name, field in section.model_fields.items():
        inner = _section_in(field.annotation)
        if inner is not None and path and Spec.model_fields.get(name, field) is not field:
            default = "*must be given*" if field.is_required() else ""
            rows.append((f"`{name}`", "section", default, "", f"As [`{name}`](#{name}). "
                         f"{field.description or ''}".strip()))  # fmt: skip
            continue
        if inner is not None:
            nested[name] = inner
            continue
        assert field.description, name
        kind, allowed = _type(field.annotation), _bounds(field)
        if name in ranges:
            kind, allowed = _ranged(kind, ranges[name])
        meaning = _NONE.sub("null", field.description)
        rows.append((f"`{name}`", kind, _default(field), allowed, meaning))
    yield _table(("setting", "type", "default", "range", "meaning"), rows)
    for name, inner in nested.items():
        is_list = typing.get_origin(section.model_fields[name].annotation) is list
        yield f"## `{'.'.join((*path, name))}`\n\n{'A list. ' if is_list else ''}{_about(inner)}\n"
        yield from _section(inner, (*path, name))


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field is, may be, or is a list of."""
    annotation = without_null(annotation)
    if typing.get_origin(annotation) is list:
        (annotation,) = typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _ranged(kind: str, range_: Range) -> tuple[str, str]:
    """Return a field's type and its range, saying nothing twice."""
    if range_.choices:
        return ", ".join(f"`{choice}`" for choice in range_.choices), ""
    if kind == "boolean":
        return kind, ""
    return kind, range_.allowed.removeprefix("a ").removeprefix("finite ").removeprefix(
        "whole "
    ).removeprefix("number ").removeprefix("of ")


def _default(field: FieldInfo) -> str:
    if field.default is not PydanticUndefined:
        return _value(field.default)
    if field.default_factory is None:
        return "*must be given*"
    factory: Any = field.default_factory
    return _value(factory())


def _bounds(field: FieldInfo) -> str:
    """Return the range of a number, or the number of things in a list, in words."""
    found = [
        f"{words} {_value(value).strip('`')}"
        for attribute, words in _BOUNDS
        for one in field.metadata
        if (value := getattr(one, attribute, None)) is not None
    ]
    if any(getattr(one, "min_length", None) for one in field.metadata):
        found.append("at least one")
    return ", ".join(found)


def _hyperparameters_page() -> str:
    parts = [
        "# Every hyperparameter\n",
        _MADE,
        "An architecture's entry in a spec, and `common`, may hold each of these: fixed, as "
        "choices or as a range ([how to write them](../spec.md#architectures-common-constraints))."
        " A class of your own has its constructor's arguments instead of an architecture's.\n",
        "## Training, for every architecture\n",
        _fields_table(TrainingConfig),
        "## Preferences, with `task: preference`\n",
        _fields_table(PreferenceConfig),
        "## Data, for every architecture\n",
        _fields_table(DataSettings),
    ]
    for name in MODELS:
        config_class = find_architecture(name).config_class
        parts += [f"## `{name}`\n", _fields_table(config_class)]
    parts += [
        "## Facts that constraints can use beside them\n",
        _table(("fact", "meaning"), [(f"`{n}`", said) for n, said in meanings_of(Facts).items()]),
    ]
    return "\n".join(parts)


def _fields_table(config_class: type[Any]) -> str:
    hints = typing.get_type_hints(config_class)
    ranges = ranges_of(config_class)
    meanings = meanings_of(config_class)
    rows = []
    for field in dataclasses.fields(config_class):
        default = "*of the data*" if field.default is dataclasses.MISSING else _value(field.default)
        kind, allowed = _type(hints[field.name]), ""
        if field.name in ranges:
            kind, allowed = _ranged(kind, ranges[field.name])
        meaning = _NONE.sub("null", meanings[field.name])
        rows.append((f"`{field.name}`", kind, default, allowed, meaning))
    return _table(("hyperparameter", "type", "default", "range", "meaning"), rows)


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


def _type(annotation: Any) -> str:
    """Return a type as a writer of YAML thinks of it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_type(argument) for argument in arguments)
    if origin in {list, tuple}:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "mapping" if arguments[1] is Any else f"mapping to {_type(arguments[1])}"
    names = {int: "integer", float: "number", str: "text", bool: "boolean"}
    return "null" if annotation is types.NoneType else names[annotation]


def _value(value: object) -> str:
    """Return a value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return {None: "`null`", True: "`true`", False: "`false`"}[value]
    if isinstance(value, int | float):
        return f"`{value:_}`" if value == int(value) and abs(value) >= 10_000 else f"`{value:g}`"
    if isinstance(value, list | tuple | Mapping):
        return "none" if not value else f"`{value}`"
    return f"`{value}`".replace("\n", "\\n")


def _about(section: type[BaseModel]) -> str:
    """Return the first paragraph of a section's docstring."""
    assert section.__doc__
    return " ".join(section.__doc__.split("\n\n")[0].split())


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    escaped = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in escaped) + "\n"


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
