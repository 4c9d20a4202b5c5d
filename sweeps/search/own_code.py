"""Whether the user's class is still the one that trained a stored trial."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picosweep.pico.models.registry import MODELS
from picosweep.pico.models.user_code import code_hash
from picosweep.sweeps.errors import input_error


def has_changed(stored: Mapping[str, Any], folder: Path) -> bool:
    """Return whether the files of a trial's class are others than when it was trained.

    Args:
        stored: the trial's stored configuration.
        folder: its sweep's folder, for the message.

    Raises:
        InputError: the class can no longer be imported.
    """
    model = str(stored["architecture"])
    if model in MODELS:
        return False
    try:
        return code_hash(model) != stored.get("source")
    except ValueError as error:
        raise input_error(
            f"the class that this trial was trained with cannot be used: {error}",
            where=str(folder),
            hint="give the command in the folder from which the sweep was run",
        ) from error
