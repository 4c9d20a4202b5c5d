"""The architectures that a sweep can name."""

from collections.abc import Mapping
from typing import Final

from pico.models.architecture import Architecture
from pico.models.kgram import KGRAM
from pico.models.lstm import LSTM_ARCHITECTURE
from pico.models.transformer import LINEAR_TRANSFORMER, TRANSFORMER

MODELS: Final[Mapping[str, Architecture]] = {
    "kgram": KGRAM,
    "lstm": LSTM_ARCHITECTURE,
    "transformer": TRANSFORMER,
    "linear_transformer": LINEAR_TRANSFORMER,
}
