"""From the name a user wrote to a source of documents."""

from collections.abc import Callable
from pathlib import Path

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.sources import hub, number_sequences
from picosweep.pico.data.sources.installed import (
    language_manual,
    library_functions,
    standard_library,
)
from picosweep.pico.data.sources.paths import path_source
from picosweep.pico.data.sources.source import Source
from picosweep.pico.errors import FieldError, nearest

INSTALLED: dict[str, Callable[[], Source]] = {
    "stdlib": standard_library,
    "stdlib:functions": library_functions,
    "pydocs": language_manual,
}


def open_source(name: str, config: DataConfig, download_dir: Path) -> Source:
    """Find the source called `name`.

    Args:
        name: one source, as `DataConfig.source` describes it.
        config: settings that say what a document is and how much to read.
        download_dir: folder to keep what was read over a network.

    Raises:
        FieldError: there is no such source, or nothing in it can be read.
    """
    if name in INSTALLED:
        return INSTALLED[name]()
    if name.startswith(hub.PREFIX):
        return hub.hub_source(name, config, download_dir)
    if name.startswith(number_sequences.PREFIX):
        return number_sequences.number_source(name, config.numbers)
    path = Path(name).expanduser()
    if not path.exists():
        raise _unknown_source(name, path)
    return path_source(path, config)


def _unknown_source(name: str, path: Path) -> FieldError:
    looks_like_path = "/" in name or bool(path.suffix)
    if not looks_like_path:
        families = [number_sequences.PREFIX + family for family in number_sequences.FAMILIES]
        return FieldError(
            "unknown source",
            field="data.source",
            near=nearest(name, [*INSTALLED, *families]),
            found=repr(name),
            allowed=f"{', '.join(INSTALLED)}, numbers:<family>, hf:<dataset>, or the path of a "
            "file or folder",
        )
    return FieldError(
        "no such file or folder", field="data.source", found=repr(name), near=_nearest_path(path)
    )


def _nearest_path(path: Path) -> str | None:
    """Return what is there in place of the first part of `path` that is not."""
    while not path.parent.exists():
        path = path.parent
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    return None if near is None else str(path.parent / near)
