"""Writing files so that a reader sees the old content or the new, never a part of it."""

import json
import os
import threading
from pathlib import Path
from typing import Any


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole, or create it.

    Raises:
        OSError: it cannot be written; the error names it, the old content stays, and no temporary
            file does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file as a whole, indented for people to read too.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    replace_file(path, (json.dumps(content, indent=2, default=str) + "\n").encode())


def remove_debris(folder: Path) -> None:
    """Delete the temporary files of processes that were killed while they replaced a file."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
