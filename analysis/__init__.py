"""Reads a sweep's Parquet tables and answers what a reader wants to know of them.

Names are imported when they are first used, so `import analysis` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from analysis.report import write_report
    from analysis.results import Results, load

_HOMES: Final = {
    "Results": "results",
    "load": "results",
    "write_report": "report",
}

__all__ = ["Results", "load", "write_report"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(f"analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
