"""A hash of the code, to check that all nodes of a cluster run the same."""

import hashlib
from pathlib import Path
from typing import Final

PACKAGES: Final = ("pico", "sweeps", "commands", "remote")
"""Folders whose code decides what is trained and how; the report's and the terminal's do not."""


def code_digest(root: Path = Path(__file__).parents[2]) -> str:
    """Return a hash over the sources of `PACKAGES`.

    Args:
        root: the folder that contains them: `picosweep`, in a checkout or in site-packages.
    """
    digest = hashlib.blake2b(digest_size=8)
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()
