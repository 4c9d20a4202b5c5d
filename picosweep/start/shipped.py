"""Specs that are shipped, by their names."""

from importlib.resources import files
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(str(files("picosweep.sweeps"))) / "specs"


def shipped_specs() -> dict[str, Path]:
    """Return the file of each shipped spec by its name."""
    return {file.stem: file for file in sorted(_FOLDER.glob("*.yaml"))}


def about_spec(file: Path) -> str:
    """Return what a shipped spec says of itself: its first line."""
    return file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def find_spec(given: Path) -> Path:
    """Return the spec that is meant: a file, or a shipped one where there is no such file."""
    return given if given.exists() else shipped_specs().get(str(given), given)
