"""Reading YAML as people expect it: plain values as in YAML 1.2, no silent duplicate keys.

YAML 1.1, which PyYAML follows, reads `1e-4` as text, `off` as false, `010` as eight, `1:30` as
ninety and `2026-11-25` as a date, and lets a second key overwrite the first; each of these turns a
sweep into a different sweep without a word. Beyond YAML 1.2, digits may be parted: `65_536`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from picosweep.pico.errors import FieldError
from picosweep.sweeps.errors import InputError, Problem, input_error
from picosweep.sweeps.store.tables import whole_text

KeyPath = tuple[str | int, ...]

_FLOAT = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_INT = re.compile(r"^(?:[-+]?[0-9][0-9_]*|0o[0-7_]+|0x[0-9a-fA-F_]+)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


_TAG: Final = "tag:yaml.org,2002:"
MOST_NODES: Final = 100_000
"""Values that a spec may have, those of aliases counted each time: a few lines can stand for
billions."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain values of YAML 1.2."""


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    """Construct an integer: leading zeros mean nothing, `0o17` and `0x1f` are other bases."""
    written = str(loader.construct_scalar(node))
    text = written.replace("_", "")
    try:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    except ValueError as error:
        raise _no_number(written, "whole number", node) from error


def _real_number(loader: _Loader, node: yaml.ScalarNode) -> float:
    """Construct a float."""
    written = str(loader.construct_scalar(node))
    text = written.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
    try:
        return float(text)
    except ValueError as error:
        raise _no_number(written, "number", node) from error


def _no_number(written: str, kind: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    shown = written if len(written) <= 20 else f"{written[:20]}… ({len(written)} characters)"
    return yaml.MarkedYAMLError(
        problem=f"{shown} cannot be read as a {kind}", problem_mark=node.start_mark
    )


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    """Construct a text; JSON writes one character beyond 16 bits as two escapes."""
    text = str(loader.construct_scalar(node))
    joined = whole_text(text)
    return text if "\ufffd" in joined else joined  # half a pair is reported with its key


def _refuse(_: _Loader, node: yaml.Node) -> NoReturn:
    kind = node.tag.removeprefix(_TAG)
    raise yaml.MarkedYAMLError(
        problem=f"a spec has no values of the kind !!{kind}", problem_mark=node.start_mark
    )


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    for _REPLACED in [{_TAG + kind for kind in ("float", "bool", "int", "timestamp", "value")}]
}
_Loader.add_implicit_resolver(_TAG + "int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver(_TAG + "bool", _BOOL, list("tTfF"))
_Loader.add_constructor(_TAG + "int", _whole_number)
_Loader.add_constructor(_TAG + "float", _real_number)
_Loader.add_constructor(_TAG + "str", _text)
for _tag in (*(_TAG + kind for kind in ("timestamp", "binary", "set", "omap", "pairs")), None):
    _Loader.add_constructor(_tag, _refuse)  # None: any other tag


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
    lines: dict[KeyPath, int] = {}
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is not None:
            _Index(lines, path).add(root, ())
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise input_error(f"not valid YAML: {error.problem}", where=f"{path}{line}") from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise input_error(
            "YAML does not allow this character",
            where=f"{path}:{number}",
            found=f"U+{ord(text[error.position]):04X}",
            hint="write it as an escape in double quotes, or leave it out",
        ) from error
    except RecursionError as error:
        raise input_error("brackets too deep inside each other", where=str(path)) from error
    return Document(path=path, content=content, lines=lines)


class _Index:
    """Records the line of every key of a file, and refuses what has no end."""

    def __init__(self, lines: dict[KeyPath, int], path: Path) -> None:
        self._lines = lines
        self._path = path
        self._num_nodes = 0
        self._above: list[yaml.Node] = []

    def add(self, node: yaml.Node, key: KeyPath) -> None:
        """Record the lines of all keys below a node."""
        line = node.start_mark.line + 1
        self._num_nodes += 1
        if self._num_nodes > MOST_NODES:
            raise self._error(f"more than {MOST_NODES:,} values", line, key)
        if any(node is other for other in self._above):
            raise self._error("an alias that holds itself", line, key)
        self._lines.setdefault(key, line)
        self._above.append(node)
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                self._add_pair(key_node, value_node, key)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.add(item, (*key, index))
        self._above.pop()

    def _add_pair(self, key_node: yaml.Node, value_node: yaml.Node, key: KeyPath) -> None:
        child = (*key, str(key_node.value))
        line = key_node.start_mark.line + 1
        if child in self._lines:
            message = f"the key stands twice, on lines {self._lines[child]} and {line}"
            raise self._error(message, line, child)
        self._lines[child] = line
        self.add(value_node, child)

    def _error(self, message: str, line: int, key: KeyPath) -> InputError:
        return input_error(message, where=f"{self._path}:{line}", key=dotted(key))


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
