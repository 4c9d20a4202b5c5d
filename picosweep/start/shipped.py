"""Specs that are shipped, by their names."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from picosweep.sweeps.errors import did_you_mean, input_error

_FOLDER: Final = Path(str(files("picosweep.sweeps"))) / "specs"


def shipped_specs() -> dict[str, Path]:
    """Return the file of each shipped spec by its name."""
    return {file.stem: file for file in sorted(_FOLDER.glob("*.yaml"))}


def find_spec(given: Path) -> Path:
    """Return the spec that is meant: a file, or a shipped one where there is no such file.

    Raises:
        InputError: it is neither, and looks like a name.
    """
    if given.exists() or given.suffix or len(given.parts) > 1:
        return given
    known = shipped_specs()
    if str(given) not in known:
        raise input_error(
            "no such file, and no shipped spec of this name",
            found=str(given),
            allowed=f"a sweep's YAML file; shipped: {', '.join(known)}",
            hint=did_you_mean(str(given), known),
        )
    return known[str(given)]
