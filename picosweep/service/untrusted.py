"""Which specs may be taken from the network: none that names code or files of this machine.

A spec is data, but it can name a class to import and files to read. Whoever may reach the service
is not thereby allowed to run code on its machine; the operator says what is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from picosweep.sweeps.errors import InputError, Problem, input_error
from picosweep.sweeps.spec.document import Document, dotted, read_yaml
from picosweep.sweeps.spec.load import load_spec

MOST_BYTES: Final = 256 * 1024
MOST_ALIASES: Final = 100
MOST_DEPTH: Final = 40
FILES_IN: Final = frozenset({"data", "samples", "evaluate", "evaluation", "probe", "probes", "sft"})
"""Sections of a spec whose texts may be names of files."""


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What the operator allows specs to name."""

    code: bool = False
    """Import paths of model classes: they run code of this machine, or of a package on it."""
    folders: tuple[Path, ...] = ()
    """Folders whose files may be read."""
    hub: bool = True
    """Data sets of the Hugging Face hub."""


def check_text(text: str) -> None:
    """Refuse what a reader of YAML should not be given.

    Raises:
        InputError: it is too long, too deep, or has too many aliases.
    """
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise input_error("the spec is too long", allowed=f"{MOST_BYTES // 1024} kB")
    depth = aliases = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            if depth > MOST_DEPTH:
                raise input_error("brackets too deep inside each other", allowed=str(MOST_DEPTH))
            if aliases > MOST_ALIASES:
                raise input_error("too many aliases", allowed=str(MOST_ALIASES))
    except (yaml.YAMLError, RecursionError):
        return  # the reader of specs says it better


def check_submitted(path: Path, allowed: Allowed) -> str:
    """Check a spec that came over the network, before anything that it names is looked at.

    Args:
        path: file in which it is.
        allowed: what it may name.

    Returns:
        the sweep's name.

    Raises:
        InputError: it is no spec, or names what it may not.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(f"cannot read the spec: {error}") from error
    check_text(text)
    document = read_yaml(path)
    problems = [*_code(document, allowed), *_files(document, allowed)]
    if problems:
        raise InputError(*problems)
    spec, _ = load_spec(path)
    return spec.name


def _code(document: Document, allowed: Allowed) -> Iterator[Problem]:
    architectures = _section(document.content, "architectures")
    if allowed.code:
        return
    if _section(document.content, "evaluate").get("sandbox") == "none":
        key: tuple[str, ...] = ("evaluate", "sandbox")
        yield Problem(
            message="this service runs no code of models outside of a sandbox",
            where=document.where(key),
            key=dotted(key),
            found="none",
            hint="its operator allows it by `picosweep serve --allow-code`",
        )
    for name, written in architectures.items():
        model = written.get("model") if isinstance(written, Mapping) else None
        if isinstance(model, str) and (":" in model or "." in model):
            key = ("architectures", str(name), "model")
            yield Problem(
                message="this service does not import classes",
                where=document.where(key),
                key=dotted(key),
                found=model,
                hint="its operator allows it by `picosweep serve --allow-code`",
            )


def _files(document: Document, allowed: Allowed) -> Iterator[Problem]:
    content = document.content if isinstance(document.content, Mapping) else {}
    for section in content:
        if section in FILES_IN or section == "init_from":
            for key, value in _texts(content[section], (section,)):
                if (problem := _problem(key, value, allowed)) is not None:
                    yield Problem(
                        message=problem, where=document.where(key), key=dotted(key), found=value
                    )


def _texts(value: Any, key: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find texts that may be names, with their places; keys of a mixture of sources among them."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if key[-1] == "source" and isinstance(name, str):
                yield (*key, name), name
            if name not in ("prompts", "prefixes"):  # texts to go on from, whatever is in them
                yield from _texts(inner, (*key, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*key, place))


def _problem(key: tuple[str | int, ...], value: str, allowed: Allowed) -> str | None:
    from picosweep.pico.data.sources.hub import PREFIX as HUB_PREFIX  # noqa: PLC0415 - imports data
    from picosweep.pico.data.sources.number_sequences import PREFIX  # noqa: PLC0415

    if value.startswith(HUB_PREFIX):
        return None if allowed.hub else "this service reads nothing from the hub"
    if value.startswith(PREFIX):
        return None
    named = Path(value).expanduser()
    suspicious = named.is_absolute() or len(named.parts) > 1 or ".." in named.parts
    if not suspicious:
        return None  # a driver's folder is empty but for the spec: nothing is found there
    whole = named.resolve()
    if named.is_absolute() and any(whole.is_relative_to(one.resolve()) for one in allowed.folders):
        return None
    return "this service reads files only from " + (
        ", ".join(str(one) for one in allowed.folders) or "nowhere: see `serve --allow-files`"
    )


def _section(content: Any, name: str) -> Mapping[str, Any]:
    found = content.get(name) if isinstance(content, Mapping) else None
    return found if isinstance(found, Mapping) else {}
