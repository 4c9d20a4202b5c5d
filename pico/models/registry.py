"""From the name of an architecture to what it is."""

from collections.abc import Mapping
from typing import Final

from picosweep.pico.errors import FieldError, nearest
from picosweep.pico.models.custom import load_architecture
from picosweep.pico.models.interface import Architecture
from picosweep.pico.models.kgram import KGRAM
from picosweep.pico.models.lstm import LSTM_ARCHITECTURE
from picosweep.pico.models.transformer import LINEAR_TRANSFORMER, TRANSFORMER

MODELS: Final[Mapping[str, Architecture]] = {
    "kgram": KGRAM,
    "lstm": LSTM_ARCHITECTURE,
    "transformer": TRANSFORMER,
    "linear_transformer": LINEAR_TRANSFORMER,
}


def find_architecture(name: str) -> Architecture:
    """Return the architecture of that name: in the registry, or the user's own class.

    Args:
        name: key of `MODELS`, or an import path `package.module:Class`.

    Raises:
        ValueError: there is none; the message says which there are and which is nearest.
    """
    if name in MODELS:
        return MODELS[name]
    if ":" in name:
        return load_architecture(name)
    allowed = f"one of {', '.join(MODELS)}, or an import path package.module:Class"
    raise FieldError(field="architecture", found=name, allowed=allowed, near=nearest(name, MODELS))
