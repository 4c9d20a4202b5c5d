"""Reads a spec; an error names the place, what was found there and what is allowed."""

import json
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ValidationError,
)
from pydantic_core import ErrorDetails

from picosweep.pico.errors import FieldError
from picosweep.sweeps.errors import InputError, Problem, did_you_mean, input_error
from picosweep.sweeps.spec.contradictions import check_contradictions
from picosweep.sweeps.spec.document import (
    Document,
    KeyPath,
    dotted,
    problem_of,
    read_yaml,
)
from picosweep.sweeps.spec.schema import Spec, without_null
from picosweep.sweeps.store.columns import ALL
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.tables import whole_text


def load_spec(path: str | Path) -> tuple[Spec, Document]:
    """Read and check a spec file.

    Raises:
        InputError: the file cannot be read, or does not describe a sweep.
    """
    document = read_yaml(Path(path))
    if not isinstance(document.content, dict):
        raise input_error(
            "a spec is a mapping of keys to values",
            where=str(path),
            found="an empty file" if document.content is None else type(document.content).__name__,
        )
    return parse_spec(document.content, document), document


def parse_spec(content: Mapping[str, Any], document: Document | None = None) -> Spec:
    """Check a spec given as plain data (a notebook's dictionary, a file's content).

    Raises:
        InputError: with a problem for each value that is wrong by itself, or for the first
            contradiction between values.
    """
    document = document or Document(path=Path("spec"), content=content, lines={})
    problems = [*_unusable_values(content, (), document), *_unusable_names(content, document)]
    if problems:
        raise InputError(*problems)
    try:
        spec = Spec.model_validate(_without_empty(content, Spec))
        check_contradictions(spec)
        _ = spec.data_config
    except ValidationError as error:
        raise InputError(*(_problem(details, document) for details in error.errors())) from error
    except FieldError as error:
        raise InputError(problem_of(error, document)) from error
    return spec


def _unusable_values(value: Any, key: KeyPath, document: Document) -> Iterator[Problem]:
    """Find what no file can hold later on: surrogates, and numbers beyond 64 bits."""
    place = {"where": document.where(key), "key": dotted(key)}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(name, str):
                yield from _unusable_values(name, (*key, ascii(name)[1:-1]), document)
            yield from _unusable_values(inner, (*key, name), document)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _unusable_values(inner, (*key, index), document)
    elif isinstance(value, str) and not value.isascii() and whole_text(value) != value:
        yield Problem(message="a surrogate is no character", found=ascii(value), **place)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(
            message="a number beyond 64 bits",
            found=f"{value:,}" if abs(value) < 10**40 else f"{len(str(value))} digits",
            allowed=f"whole numbers from {-(2**63):,} to {2**63 - 1:,}",
            **place,
        )


def _unusable_names(content: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    """Find architectures that are not written as a mapping from a legible name to settings."""
    written = content.get("architectures")
    for name in written if isinstance(written, Mapping) else ():
        if isinstance(name, str) and not (name.strip() and name.isprintable()):
            yield Problem(
                message="the name of an architecture stands in every table and chart",
                where=document.where(("architectures", name)),
                key="architectures",
                found=ascii(name),
                allowed="a text that can be read, in one line",
            )
    names = [written] if isinstance(written, str) else written
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        shown = ", ".join(f"{name}: {{}}" for name in names)
        yield Problem(
            message="each architecture is a name with its settings",
            where=document.where(("architectures",)),
            key="architectures",
            found=repr(written),
            allowed=f"{{{shown}}} for all defaults",
        )


def _without_empty(written: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """Leave out sections that stand there with nothing behind the colon: they mean defaults."""
    kept: dict[str, Any] = {}
    for name, value in written.items():
        field = section.model_fields.get(name)
        kind = None if field is None else without_null(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if isinstance(value, Mapping):
                kept[name] = _without_empty(value, kind)
                continue
            is_empty = value is None
        else:
            is_empty = value is None and typing.get_origin(kind) in (dict, list)
        if name == "architectures" and isinstance(value, Mapping):
            kept[name] = {key: {} if own is None else own for key, own in value.items()}
        elif not is_empty:
            kept[name] = value
    return kept


def load_stored_spec(folder: Path) -> tuple[Spec, Document]:
    """Read the spec that a sweep was last run with, from the sweep's own folder.

    Raises:
        InputError: the folder has no spec, or it cannot be read.
    """
    path = SweepFolder(folder).spec
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("comparable", None)
        spec = Spec.model_validate(content)
    except (OSError, ValueError, AttributeError) as error:
        raise input_error("cannot be read", where=str(path)) from error
    return spec, Document(path=path, content=content, lines={})


def unusual_goals(spec: Spec) -> list[str]:
    """Return sentences about objectives whose goal is not what their metric is for."""
    return [
        f"{objective.metric} is to be {objective.goal}d, as the spec says: the worst by this "
        "measure counts as the best"
        for objective in spec.objectives
        if objective.goal != ALL[objective.metric].goal
    ]


def _problem(details: ErrorDetails, document: Document) -> Problem:
    """Convert one of Pydantic's errors into a `Problem`."""
    path: KeyPath = tuple(
        part for part in details["loc"] if not (isinstance(part, str) and _is_union_branch(part))
    )
    kind, found = details["type"], details["input"]
    place = {"where": document.where(path), "key": dotted(path)}
    if kind == "extra_forbidden":
        allowed = _allowed_keys(path[:-1])
        return Problem(
            message="unknown key",
            found=str(path[-1]),
            allowed=", ".join(allowed),
            hint=did_you_mean(path[-1], allowed),
            **place,
        )
    if kind == "missing":
        return Problem(message="this key is required and missing", **place)
    context = details.get("ctx", {})
    if kind == "literal_error":
        allowed = _literals(path)
        return Problem(
            message="unknown value",
            found=repr(found),
            allowed=", ".join(allowed),
            hint=did_you_mean(found, allowed),
            **place,
        )
    if kind == "string_pattern_mismatch":
        message = "only letters, digits and . _ - are allowed, at most 64, a letter or digit first"
        return Problem(message=message, found=repr(found), **place)
    limits = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    bounds = [f"{word} {context[name]}" for name, word in limits.items() if name in context]
    return Problem(
        message="out of range" if bounds else "wrong type",
        found="null" if found is None else f"{found!r} ({type(found).__name__})",
        allowed="a value " + " and ".join(bounds) if bounds else _expected(details["msg"]),
        hint=f"write it in quotes: '{found}'" if _is_bare_number(kind, found) else "",
        **place,
    )


def _is_bare_number(kind: str, found: object) -> bool:
    return kind == "string_type" and isinstance(found, int | float)


def _expected(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("a valid ")


def _is_union_branch(part: str) -> bool:
    return part in {"str", "int", "float", "bool"} or "[" in part


def _field_type(path: KeyPath) -> Any:
    """Return the annotation at a key path below `Spec`, None where keys are free."""
    current: Any = Spec
    for part in path:
        if isinstance(part, int):
            current = (typing.get_args(current) or (None,))[0]
        elif isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = without_null(field.annotation) if field else None
        else:
            return None
    return current


def _allowed_keys(path: KeyPath) -> list[str]:
    section = _field_type(path)
    if isinstance(section, type) and issubclass(section, BaseModel):
        return list(section.model_fields)
    return []


def _literals(path: KeyPath) -> list[str]:
    return [str(choice) for choice in typing.get_args(_field_type(path))]
