"""What a setting is: `picosweep explain transformer`, `data`, `learning_rate`."""

from collections.abc import Iterator
from dataclasses import dataclass

from picosweep.start.settings import Group, Setting, groups, places_of
from picosweep.sweeps.errors import OTHER_NAMES, did_you_mean, input_error


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One group with the settings of it that were asked for."""

    group: Group
    settings: tuple[Setting, ...]


def explain(topic: str) -> list[Explained]:
    """Return what is known of a section, an architecture, or a setting by its name or path.

    Raises:
        InputError: there is no such thing; with the nearest name.
    """
    found = [
        Explained(group=group, settings=group.settings)
        for group in groups()
        if group.name == topic or (group.is_section and group.name.startswith(f"{topic}."))
    ]
    places = [
        Explained(group=group, settings=(setting,))
        for group, setting in places_of(topic)
        if setting.type != "section"
    ]
    if found or places:
        return [*found, *places]
    known = list(dict.fromkeys(_names()))
    ours = OTHER_NAMES.get(topic)
    hint = f"is it {ours}?" if ours in known else did_you_mean(topic, known)
    allowed = "a section, an architecture or a setting; `picosweep explain` lists them"
    raise input_error("nothing is called so", found=topic, allowed=allowed, hint=hint)


def _names() -> Iterator[str]:
    for group in groups():
        yield group.name
        for setting in group.settings:
            yield setting.name
            yield group.path(setting)
