"""Finding sweeps and trials by the names that people type."""

from pathlib import Path

from sweeps.errors import input_error, nearest


def sweep_folders(results: Path) -> list[Path]:
    """The folders of all sweeps below a results folder, by name."""
    return sorted(path.parent for path in results.glob("*/trials"))


def find_sweep(name: str, results: Path) -> Path:
    """A sweep's folder, from its name or its path.

    Raises:
        InputError: there is none; the message names the ones there are.
    """
    for folder in (results / name, Path(name)):
        if (folder / "trials").is_dir():
            return folder
    names = [folder.name for folder in sweep_folders(results)]
    raise input_error(
        "no such sweep",
        where=str(results),
        found=name,
        allowed=", ".join(names) or "none yet: run one first",
        hint=nearest(name, names),
    )
