"""What is said when a command cannot write where it is to write."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from picosweep.sweeps.errors import input_error


@contextlib.contextmanager
def written_to(output: str | Path | None) -> Iterator[None]:
    """Name the place that cannot be written, and the way to another where none was chosen.

    Args:
        output: what the user chose; None: the sweep's own folder, which may be for reading alone.

    Raises:
        InputError: in place of an `OSError` that names a file.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise input_error(
            f"cannot be written: {error.strerror}",
            where=os.fsdecode(error.filename),
            hint="--output names another place" if output is None else "",
        ) from error
