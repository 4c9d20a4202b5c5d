"""Every setting of a spec with its type, default, range and meaning, as data.

The data is made from the code by `make reference`, which writes the reference pages from it, too;
reading it takes milliseconds where the code takes the seconds that torch needs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

SETTINGS_FILE: Final = "settings.json"
SCHEMA_FILE: Final = "spec.schema.json"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key that a spec can have."""

    name: str
    type: str
    default: str
    range: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Settings that stand together: a section of a spec, or an architecture's hyperparameters."""

    name: str
    """How it is asked for: `data.tokenizer`, `transformer`; empty for the top of a spec."""
    title: str
    """What it is, in a few words."""
    is_section: bool
    """Whether it is a section of a spec, and not a group of hyperparameters."""
    settings: tuple[Setting, ...]

    def path(self, setting: Setting) -> str:
        """Return how a setting of the group is written with the section that it stands in."""
        prefix = f"{self.name}." if self.is_section and self.name else ""
        return prefix + setting.name


@cache
def groups() -> tuple[Group, ...]:
    """Return all groups, sections first, in the order of the reference."""
    content = json.loads(files(__package__).joinpath(SETTINGS_FILE).read_text(encoding="utf-8"))
    return tuple(
        Group(**one | {"settings": tuple(Setting(**setting) for setting in one["settings"])})
        for one in content
    )


def architecture_names() -> list[str]:
    """Return the names of the architectures that there are."""
    schema = read_schema()
    names: list[str] = list(schema["properties"]["architectures"]["properties"])
    return names


def places_of(name: str) -> Iterator[tuple[Group, Setting]]:
    """Yield every place in which a setting of that name or path stands."""
    for group in groups():
        for setting in group.settings:
            if name in (setting.name, group.path(setting)):
                yield group, setting


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec."""
    text = files(__package__).joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]
