"""Registry of the names that scripts and notebooks use; each is imported when first asked for."""

import importlib
from typing import Any, Final

_PUBLIC: Final = {
    "run": "sweeps.engine",
    "SweepResult": "sweeps.engine",
    "InputError": "sweeps.errors",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
