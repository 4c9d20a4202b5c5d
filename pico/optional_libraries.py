"""Libraries that are installed by choice."""

import importlib
from types import ModuleType


def import_optional(name: str) -> ModuleType:
    """Import a library.

    A folder of its name beside the user's files (`wandb/` and `mlflow/` are left by those tools,
    `datasets/` holds somebody's data) can be imported like a library, and is none.

    Raises:
        ImportError: it is not installed.
    """
    module = importlib.import_module(name)
    if hasattr(module, "__path__") and getattr(module, "__file__", None) is None:
        raise ImportError(f"{name} is a folder without code, no library")
    return module
