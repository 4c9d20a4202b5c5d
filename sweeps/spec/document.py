"""Reading YAML as people expect it: YAML 1.2 numbers and booleans, no silent duplicate keys.

YAML 1.1, which PyYAML follows, reads `1e-4` as text, `off` as false and lets a second key overwrite
the first; each of these turns a sweep into a different sweep without a word.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from picosweep.pico.errors import FieldError
from picosweep.sweeps.errors import Problem, input_error

KeyPath = tuple[str | int, ...]

_FLOAT = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


class _Loader(yaml.SafeLoader):
    """SafeLoader with the resolvers of YAML 1.2 for floats and booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    for _REPLACED in [("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")]
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))


@dataclass(frozen=True, kw_only=True)
class Document:
    """A parsed YAML file and the line on which each of its keys stands."""

    path: Path
    content: Any
    lines: dict[KeyPath, int]

    def where(self, key: KeyPath) -> str:
        """Return `file:line` of a key, or of the nearest key above it that the file has."""
        for length in range(len(key), -1, -1):
            if key[:length] in self.lines:
                return f"{self.path}:{self.lines[key[:length]]}"
        return str(self.path)


def read_yaml(path: Path) -> Document:
    """Read one YAML document.

    Raises:
        InputError: the file is missing, unreadable, not YAML, or holds a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise input_error(f"cannot read the file: {reason}", where=str(path)) from error
    try:
        root = yaml.compose(text, Loader=_Loader)
        lines: dict[KeyPath, int] = {}
        if root is not None:
            _index(root, (), lines, path)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise input_error(f"not valid YAML: {error.problem}", where=f"{path}{line}") from error
    return Document(path=path, content=content, lines=lines)


def _index(node: yaml.Node, key: KeyPath, lines: dict[KeyPath, int], path: Path) -> None:
    """Record the line of every key below `node`."""
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            child = (*key, str(key_node.value))
            line = key_node.start_mark.line + 1
            if child in lines:
                raise input_error(
                    f"the key stands twice, on lines {lines[child]} and {line}",
                    where=f"{path}:{line}",
                    key=dotted(child),
                )
            lines[child] = line
            _index(value_node, child, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _index(item, (*key, index), lines, path)


def dotted(key: KeyPath) -> str:
    """Return a key path as a person writes it: `objectives[0].metric`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def problem_of(error: FieldError, document: Document, key: KeyPath | None = None) -> Problem:
    """Return what is wrong with a setting, with its place in the spec.

    Args:
        error: what a check has raised.
        document: where the spec stands.
        key: the key path that asks for the setting; by default the one that the check knows.
    """
    key = tuple(error.field.split(".")) if key is None else key
    return Problem(
        message=error.problem or str(error),
        where=document.where(key),
        key=dotted(key),
        found="" if error.found is None or not error.problem else str(error.found),
        allowed="" if error.allowed is None or not error.problem else str(error.allowed),
        hint="" if error.near is None or not error.problem else f"did you mean {error.near}?",
    )


def place_of(setting: str, architecture: str, document: Document) -> KeyPath:
    """Return where a spec says what a setting may be: in an architecture's entry or in `common`."""
    own: KeyPath = ("architectures", architecture, setting)
    common: KeyPath = ("common", setting)
    return common if own not in document.lines and common in document.lines else own
