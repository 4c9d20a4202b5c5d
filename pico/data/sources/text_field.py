"""The text of a record: a column, a path into it, or a conversation written out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from picosweep.pico.data.config import DataConfig
from picosweep.pico.errors import FieldError, nearest

ROLE_AND_CONTENT: Final = (("role", "content"), ("from", "value"))
"""How the messages of conversations name who speaks and what is said."""

_MOST_PATHS = 8
"""Paths that a message names."""

_MOST_DEPTH = 8


@dataclass(frozen=True, kw_only=True)
class TextField:
    """Where the text of a record is, and how messages become text."""

    path: str
    """Name of a column; or keys and positions with dots between them, `*` for all of a list."""

    message_template: str
    """What is written for each message of a conversation; see `DataConfig.message_template`."""

    joins_lists: bool = True
    """Whether texts of a list are joined; in a column that nobody named they may be its words."""

    @classmethod
    def of_config(cls, config: DataConfig) -> "TextField":
        """Take the settings of a configuration."""
        return cls(
            path=config.text_field,
            message_template=config.message_template,
            joins_lists=config.text_field != DataConfig.text_field,
        )

    def column(self, names: Sequence[str]) -> str:
        """Return which of the columns has to be read."""
        return self.path if self.path in names else self.path.split(".", 1)[0]

    def of(self, record: Mapping[str, Any], place: str) -> str:
        """Return the text of one record; a null is an empty text.

        Args:
            record: what was read.
            place: where it was read, for the message: `on line 7 of a.jsonl`.

        Raises:
            FieldError: there is nothing at the path, or something else than text; the message
                names the record's fields and the paths that hold text.
        """
        if self.path in record:
            found = [record[self.path]]
        else:
            try:
                found = list(_at(record, self.path.split(".")))
            except LookupError:
                raise missing_text_field(self.path, record, place) from None
        texts = [self._text(value, record, place) for value in found]
        return "\n".join(texts)

    def _text(self, value: object, record: Mapping[str, Any], place: str) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return without_surrogates(value)
        if isinstance(value, Sequence) and not isinstance(value, bytes) and value:
            messages = [message for one in value if (message := _message(one))]
            if len(messages) == len(value):
                return without_surrogates("".join(map(self._written, messages)))
            if self.joins_lists and all(isinstance(one, str) for one in value):
                return without_surrogates("\n".join(value))
        if value == [] and self.joins_lists:
            return ""
        raise FieldError(
            f"{self.path!r} is not text",
            field="data.text_field",
            found=f"{_kind(value)} {place}",
            allowed=_paths_with_text(record),
        )

    def _written(self, message: tuple[str, str]) -> str:
        role, content = message
        return self.message_template.format(role=role, content=content)


def missing_text_field(path: str, record: Mapping[str, Any], place: str) -> FieldError:
    """Return the error for a record without the field; it names those that there are."""
    names = list(map(str, record))
    return FieldError(
        f"no field {path!r}",
        field="data.text_field",
        near=nearest(path, names),
        found=f"fields {', '.join(map(repr, names)) or '(none)'} {place}",
        allowed=_paths_with_text(record),
    )


def text_paths(value: object, path: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the paths in a record that hold text, texts or messages."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, Mapping) and depth < _MOST_DEPTH:
        for key, inner in value.items():
            yield from text_paths(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list) and value and depth < _MOST_DEPTH:
        if all(isinstance(one, str) or _message(one) for one in value):
            yield path
        else:
            yield from text_paths(value[0], f"{path}.0", depth + 1)


def _paths_with_text(record: Mapping[str, Any]) -> str | None:
    paths = list(dict.fromkeys(text_paths(record)))
    if not paths:
        return None
    more = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
    return "the path of a text, such as " + ", ".join(paths[:_MOST_PATHS]) + more


def _at(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    """Yield what lies at a path.

    Raises:
        LookupError: there is nothing.
    """
    if not parts or value is None:
        yield value
        return
    first, *rest = parts
    if isinstance(value, Mapping):
        yield from _at(value[first], rest)
    elif isinstance(value, list) and first == "*":
        for one in value:
            yield from _at(one, rest)
    elif isinstance(value, list) and first.isdecimal():
        yield from _at(value[int(first)], rest)
    else:
        raise LookupError(first)


def _message(value: object) -> tuple[str, str] | None:
    """Return who speaks and what is said; None for anything but a message."""
    if not isinstance(value, Mapping):
        return None
    for role, content in ROLE_AND_CONTENT:
        if role in value and content in value:
            said = value[content]
            if isinstance(said, list) and all(
                isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in said
            ):
                said = "".join(part["text"] for part in said)
            if isinstance(value[role], str) and isinstance(said, str | None):
                return value[role], said or ""
    return None


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which are not text and which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(repr, list(value)[:_MOST_PATHS]))}"
    if isinstance(value, list) and value:
        return f"a list of {type(value[0]).__name__}"
    return type(value).__name__
