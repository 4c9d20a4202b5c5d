"""Folders that `datasets.save_to_disk` wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picosweep.pico.data.sources.formats import UnreadableFileError, unreadable


def saved_splits(folder: Path) -> Mapping[str, Path]:
    """Return the folder of each split; that of a data set without splits under "".

    Empty for a folder that `save_to_disk` did not write.

    Raises:
        UnreadableFileError: what lists the splits is damaged.
    """
    if (folder / "dataset_dict.json").is_file():
        names = _read(folder / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not names:
            raise _damaged(folder / "dataset_dict.json", "it lists no splits")
        return {str(name): folder / str(name) for name in names}
    # Other programs have files of this name, too.
    state = folder / "state.json"
    is_saved = state.is_file() and "_data_files" in _read(state)
    return {"": folder} if is_saved else {}


def saved_files(folder: Path) -> list[Path]:
    """Return the Arrow files of a data set or of one of its splits, in order.

    Raises:
        UnreadableFileError: one is missing, or what lists them is damaged.
    """
    state = folder / "state.json"
    if not state.is_file():
        raise _damaged(folder, "its state.json is missing")
    try:
        parts = [folder / str(part["filename"]) for part in _read(state)["_data_files"]]
    except (KeyError, TypeError):
        raise _damaged(state, "it does not list the data's files") from None
    for part in parts:
        if not part.is_file():
            raise _damaged(folder, f"{part.name} is missing")
    return parts


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    return content if isinstance(content, dict) else {}


def _damaged(path: Path, reason: str) -> UnreadableFileError:
    return unreadable("a damaged data set", f"{path}: {reason}")
