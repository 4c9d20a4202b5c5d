"""From the name of an architecture to what it is."""

import difflib

from pico.models import MODELS
from pico.models.architecture import Architecture


def find_architecture(name: str) -> Architecture:
    """Return the architecture of that name in the registry.

    Raises:
        ValueError: There is none; the message says which there are and which is nearest.
    """
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name, MODELS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"architecture is {name!r}; allowed: one of {', '.join(MODELS)}{hint}")
