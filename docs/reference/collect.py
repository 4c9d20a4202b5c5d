"""Every setting of a spec and every hyperparameter, read off the classes that hold them."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
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
from picosweep.start.settings import Group, Setting
from picosweep.sweeps.spec.hyperparameters import DataSettings
from picosweep.sweeps.spec.schema import Spec, without_null

DATA_CLASSES: Final = {
    "DataConfig": DataConfig,
    "TokenizerConfig": TokenizerConfig,
    "NumbersConfig": NumbersConfig,
}
_NONE: Final = re.compile(r"\bNone\b")
"""Python's word, where a writer of YAML reads `null`."""
_BOUNDS: Final = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


def all_groups() -> list[Group]:
    """Return the sections of a spec, then the groups of hyperparameters, then the facts."""
    return [*_sections(Spec, (), "Every setting of a spec"), *_hyperparameters(), _facts()]


def _sections(section: type[BaseModel], path: tuple[str, ...], title: str) -> Iterator[Group]:
    """Yield a section, then those in it."""
    config_class = DATA_CLASSES.get(section.__name__)
    ranges = ranges_of(config_class) if config_class is not None else {}
    settings: list[Setting] = []
    nested: dict[str, type[BaseModel]] = {}
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None and path and Spec.model_fields.get(name, field) is not field:
            settings.append(_repeated(name, field))
            continue
        if inner is not None:
            nested[name] = inner
            continue
        assert field.description, name
        kind, allowed = _type(field.annotation), _bounds(field)
        if name in ranges:
            kind, allowed = _ranged(kind, ranges[name])
        settings.append(
            Setting(
                name=name,
                type=kind,
                default=_default(field),
                range=allowed,
                meaning=_NONE.sub("null", field.description),
            )
        )
    yield Group(name=".".join(path), title=title, is_section=True, settings=tuple(settings))
    for name, inner in nested.items():
        is_list = typing.get_origin(section.model_fields[name].annotation) is list
        about = ("A list. " if is_list else "") + _about(inner)
        yield from _sections(inner, (*path, name), about)


def _repeated(name: str, field: FieldInfo) -> Setting:
    """Return the line of a section that is like one at the top of the spec."""
    return Setting(
        name=name,
        type="section",
        default="*must be given*" if field.is_required() else "",
        range="",
        meaning=f"As [`{name}`](#{name}). {field.description or ''}".strip(),
    )


def section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field is, may be, or is a list of."""
    annotation = without_null(annotation)
    if typing.get_origin(annotation) is list:
        (annotation,) = typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _hyperparameters() -> Iterator[Group]:
    shared = [
        ("training", "Training, for every architecture", TrainingConfig),
        ("preferences", "Preferences, with `task: preference`", PreferenceConfig),
        ("chosen data", "Data, for every architecture", DataSettings),
    ]
    models = [(name, f"`{name}`", find_architecture(name).config_class) for name in MODELS]
    for name, title, config_class in [*shared, *models]:
        settings = tuple(_fields(config_class))
        yield Group(name=name, title=title, is_section=False, settings=settings)


def _facts() -> Group:
    settings = tuple(
        Setting(name=name, type="", default="", range="", meaning=said)
        for name, said in meanings_of(Facts).items()
    )
    title = "Facts that constraints can use beside them"
    return Group(name="facts", title=title, is_section=False, settings=settings)


def _fields(config_class: type[Any]) -> Iterator[Setting]:
    hints = typing.get_type_hints(config_class)
    ranges = ranges_of(config_class)
    meanings = meanings_of(config_class)
    for field in dataclasses.fields(config_class):
        default = "*of the data*" if field.default is dataclasses.MISSING else _value(field.default)
        kind, allowed = _type(hints[field.name]), ""
        if field.name in ranges:
            kind, allowed = _ranged(kind, ranges[field.name])
        yield Setting(
            name=field.name,
            type=kind,
            default=default,
            range=allowed,
            meaning=_NONE.sub("null", meanings[field.name]),
        )


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
