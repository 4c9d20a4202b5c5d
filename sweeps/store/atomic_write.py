"""Writing files so that a reader sees the old content or the new, never a part of it."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place whole.

    Raises:
        OSError: it cannot be written; what was there before is there still, and no debris.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_debris(folder: Path) -> None:
    """Delete what a process that was killed while it replaced a file has left."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
