"""Registry of the names that scripts and notebooks use; each is imported when first asked for."""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from picosweep.commands.result import SweepResult
    from picosweep.commands.run import run
    from picosweep.sweeps.errors import InputError

__all__ = ["InputError", "SweepResult", "run"]

_HOMES: Final = {
    "InputError": "picosweep.sweeps.errors",
    "SweepResult": "picosweep.commands.run",
    "run": "picosweep.commands.run",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
