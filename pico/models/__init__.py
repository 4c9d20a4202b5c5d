"""The architectures that a sweep can name."""

from collections.abc import Mapping
from typing import Final

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
