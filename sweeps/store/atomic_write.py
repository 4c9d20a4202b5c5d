"""Writing files so that a reader sees the old content or the new, never a part of it."""

import json
import os
import threading
from pathlib import Path
from typing import Any


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place whole.

    Raises:
        OSError: it cannot be written; what was there before is there still, and no debris.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Put a JSON file in place whole, for people to read too.

    Raises:
        OSError: as `replace_file`.
    """
    replace_file(path, (json.dumps(content, indent=2, default=str) + "\n").encode())


def remove_debris(folder: Path) -> None:
    """Delete what a process that was killed while it replaced a file has left."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
