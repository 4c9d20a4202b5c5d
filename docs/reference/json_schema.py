"""The JSON Schema of a spec, with every architecture's hyperparameters and what they may be.

What only the program can tell stays out of it: files that must exist, constraints, whether one
setting fits another.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from docs.reference.collect import DATA_CLASSES
from picosweep.pico.field_checks import Range, meanings_of, ranges_of
from picosweep.pico.models.registry import MODELS, find_architecture
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.presets import PRESETS
from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.spec.hyperparameters import DataSettings
from picosweep.sweeps.spec.schema import Spec

Schema = dict[str, Any]

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Final = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    types.NoneType: "null",
}
_WHEN: Final[Schema] = {
    "type": "string",
    "description": "An expression over settings that stand above: only where it holds.",
}
_CUSTOM: Final = "class"
_PRESET: Final = "preset"
_SHARED: Final = (TrainingConfig, PreferenceConfig, DataSettings)


def spec_schema() -> Schema:
    """Return the schema."""
    schema = Spec.model_json_schema()
    definitions = schema["$defs"]
    for name, config_class in DATA_CLASSES.items():
        _add_ranges(definitions[name], config_class)
    suite = definitions["Evaluate"]["properties"]["suite"]
    # A single name may stand without brackets.
    suite["anyOf"] = [{"type": suite.pop("type"), "items": suite["items"]}, suite.pop("items")]
    for section in (schema, definitions["Sft"]):
        _let_sections_be_empty(section, definitions)
    shared = _shared_as(definitions, "any", _spaces_of(_SHARED))
    own = {
        name: _shared_as(definitions, name, _spaces_of([find_architecture(name).config_class]))
        for name in MODELS
    }
    for name, spaces in own.items():
        definitions[f"{name}.space"] = _entry({**shared, **spaces}, _model({"const": name}))
    definitions[f"{_CUSTOM}.space"] = _entry(
        shared, _model({"type": "string", "pattern": ":"}), others=_any_space()
    )
    for preset, chosen in PRESETS.items():
        spaces = {**shared, **own[chosen.architecture]}
        definitions[f"{preset}.space"] = _entry(spaces, {"preset": {"const": preset}})
    definitions["architecture"] = _architecture()
    everything = _merged([shared, *own.values()])
    properties = schema["properties"]
    properties["common"] = _section_of(everything, properties["common"])
    definitions["Sft"]["properties"]["common"] = _section_of(
        everything, definitions["Sft"]["properties"]["common"]
    )
    preference = {name: shared[name] for name in _spaces_of([PreferenceConfig])}
    preference["loss"] = preference.pop("preference_loss")
    preference["pairs"] = {
        "type": "string",
        "description": "A file of your own with `prompt`, `chosen` and `rejected`.",
    }
    properties["preference"] = _section_of(preference, properties["preference"])
    properties["architectures"] |= {
        "properties": {name: _named(name) for name in MODELS},
        "additionalProperties": {
            "allOf": [
                {"$ref": "#/$defs/architecture"},
                {"anyOf": [{"required": ["model"]}, {"required": ["preset"]}]},
            ]
        },
    }
    return {"$schema": DRAFT, **schema}


def _shared_as(
    definitions: dict[str, Any], owner: str, spaces: Mapping[str, Schema]
) -> dict[str, Schema]:
    """Move spaces to the definitions; return references to them, one for those that are alike."""
    references = {}
    for name, space in spaces.items():
        alike = (known for known, other in definitions.items() if other == space)
        key = next(alike, f"{owner}.{name}")
        definitions[key] = space
        references[name] = {"$ref": f"#/$defs/{key}"}
    return references


def _let_sections_be_empty(section: Schema, definitions: Mapping[str, Schema]) -> None:
    """Allow nothing behind the colon of a section all of whose settings have defaults."""
    for name, one in section["properties"].items():
        reference = one.get("$ref", "").rpartition("/")[2]
        if reference and not definitions[reference].get("required"):
            about = {key: value for key, value in one.items() if key != "$ref"}
            section["properties"][name] = {
                **about,
                "anyOf": [{"$ref": one["$ref"]}, {"type": "null"}],
            }


def _add_ranges(section: Schema, config_class: type[Any]) -> None:
    for name, range_ in ranges_of(config_class).items():
        own = section["properties"][name]
        options = [one for one in own.get("anyOf", [own]) if one.get("type") != "null"]
        for one in options:
            one.update(_limits(range_))


def _limits(range_: Range) -> Schema:
    limits: Schema = dict(range_.bounds)
    if range_.choices:
        limits["enum"] = list(range_.choices)
    return limits


def _spaces_of(config_classes: Iterable[type[Any]]) -> dict[str, Schema]:
    """Return what each hyperparameter of some classes may be written as, by its name."""
    found: dict[str, Schema] = {}
    for config_class in config_classes:
        hints = typing.get_type_hints(config_class)
        ranges, meanings = ranges_of(config_class), meanings_of(config_class)
        for field in dataclasses.fields(config_class):
            space = _space(_values(hints[field.name], ranges.get(field.name)))
            found[field.name] = {"description": meanings[field.name], **space}
            if field.default is not dataclasses.MISSING:
                found[field.name]["default"] = field.default
    return found


def _values(annotation: Any, range_: Range | None) -> list[Schema]:
    """Return a schema for each kind of value that a hyperparameter can have."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _values(arguments[0], range_)
    if origin is Literal:
        return [{"enum": list(arguments)}]
    if origin in {types.UnionType, typing.Union}:
        return [one for argument in arguments for one in _values(argument, range_)]
    limits = _limits(range_) if range_ is not None and annotation is not types.NoneType else {}
    return [{"type": _TYPES[annotation], **limits}]


def _space(values: list[Schema]) -> Schema:
    """Return the ways of writing a space over values of some kinds."""
    value = values[0] if len(values) == 1 else {"anyOf": values}
    choices = {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}
    kinds = {"choices": choices, "fixed": value}
    steps: dict[str, Schema] = {}
    for number in values:
        if number.get("type") in ("integer", "number"):
            kinds |= _ranges(number)
            steps["int_uniform"] = {"type": "integer", "minimum": 1}
            steps["uniform"] = {"type": "number", "exclusiveMinimum": 0}
    mapping = _written(kinds, steps)
    # An editor speaks of the first way: the names that there are, or the kinds of space.
    named = any("enum" in one for one in values)
    return {"anyOf": [*values, mapping, choices] if named else [mapping, *values, choices]}


def _ranges(number: Schema) -> dict[str, Schema]:
    whole = {**number, "type": "integer"}
    found = {
        "int_uniform": _pair(whole),
        "log_int_uniform": _pair({**whole, "minimum": max(1, whole.get("minimum", 1))}),
    }
    if number["type"] == "number":
        positive = {**number, "exclusiveMinimum": number.get("exclusiveMinimum", 0)}
        found |= {"uniform": _pair(number), "log_uniform": _pair(positive)}
    return found


def _pair(number: Schema) -> Schema:
    return {"type": "array", "items": number, "minItems": 2, "maxItems": 2}


def _written(kinds: dict[str, Schema], steps: dict[str, Schema]) -> Schema:
    """Return a mapping with one kind of space, and a condition where it is not always there.

    One schema for all kinds, so that an editor offers them and names the key that is none.

    Args:
        kinds: what each kind holds.
        steps: the steps of those that can have one.
    """
    step = {"step": {"type": "number", "exclusiveMinimum": 0}} if steps.keys() & kinds else {}
    return {
        "type": "object",
        "properties": {**kinds, **step, "when": _WHEN},
        "oneOf": [
            {"required": [kind], "properties": {"step": steps.get(kind, False)}} for kind in kinds
        ],
        "additionalProperties": False,
    }


def _any_space() -> Schema:
    """Return the ways of writing a space of an argument of a user's class."""
    plain: list[Schema] = [{"type": name} for name in ("string", "boolean", "null", "number")]
    return _space(plain)


def _model(allowed: Schema) -> dict[str, Schema]:
    return {"model": {**allowed, "description": "Which architecture it is."}}


def _entry(
    spaces: Mapping[str, Schema], source: Mapping[str, Schema], *, others: Schema | None = None
) -> Schema:
    return {
        "type": "object",
        "properties": {**source, **spaces},
        "additionalProperties": False if others is None else others,
    }


def _architecture() -> Schema:
    """Return what an entry may be that says what it is, by `model` or `preset`."""

    def case(key: str, value: Schema, space: str) -> Schema:
        return {
            "if": {"required": [key], "properties": {key: value}},
            "then": {"$ref": f"#/$defs/{space}.space"},
        }

    return {
        "type": "object",
        "properties": {
            "model": {"anyOf": [{"enum": list(MODELS)}, {"type": "string", "pattern": ":"}]},
            "preset": {"enum": list(PRESETS)},
        },
        "not": {"required": ["model", "preset"]},
        "allOf": [
            *(case("model", {"const": name}, name) for name in MODELS),
            case("model", {"type": "string", "pattern": ":"}, _CUSTOM),
            *(case("preset", {"const": name}, name) for name in PRESETS),
        ],
    }


def _named(name: str) -> Schema:
    """Return what an entry under a built-in's name may be: that, unless it says otherwise."""
    says = {"anyOf": [{"required": ["model"]}, {"required": ["preset"]}]}
    return {
        "if": says,
        "then": {"$ref": "#/$defs/architecture"},
        "else": {"$ref": f"#/$defs/{name}.space"},
    }


def _merged(parts: Iterable[Mapping[str, Schema]]) -> dict[str, Schema]:
    """Return hyperparameters of several architectures: each may be what one of them takes."""
    found: dict[str, list[Schema]] = {}
    for part in parts:
        for name, space in part.items():
            known = found.setdefault(name, [])
            if space not in known:
                known.append(space)
    return {
        name: spaces[0] if len(spaces) == 1 else {"anyOf": spaces} for name, spaces in found.items()
    }


def _section_of(spaces: Mapping[str, Schema], section: Schema) -> Schema:
    return {
        **section,
        "properties": dict(spaces),
        "additionalProperties": False,
    }
