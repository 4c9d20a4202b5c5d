"""Python's collector of reference cycles, and when it should rest."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Leave reference cycles alone while rows are read that all stay.

    Otherwise the collector looks through all of them again and again as they become more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
