"""The hyperparameters that architectures have: their names and types."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields as dataclass_fields
from typing import Any, Final

import pyarrow as pa

from picosweep.pico.facts import Facts
from picosweep.pico.training_config import TrainingConfig
from picosweep.sweeps.spec.architectures import NamedArchitecture

FACTS = tuple(field.name for field in dataclass_fields(Facts))
"""Names that constraints can use beside the hyperparameters."""


NO_LAST_STEP: Final = "a budget in seconds has no last step, at which {} looks"


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What a trial may choose of the data; what it does not choose, the spec's data section says.

    They are hyperparameters like any other, with a column each in the `trials` table.
    """

    block_size: int
    """Tokens in a training sequence."""
    vocab_size: int
    """Tokens of the vocabulary. A space asks for a size of a trained BPE; the column holds what
    came of it, which is less where the text has too few different pairs."""


def column_types(architectures: Mapping[str, Any]) -> dict[str, pa.DataType]:
    """Return the Arrow type of each hyperparameter of the given configuration classes.

    Args:
        architectures: configuration classes (dataclasses) by name, those of training and data too.
    """
    types: dict[str, pa.DataType] = {}
    for config_class in architectures.values():
        hints = typing.get_type_hints(config_class)
        for field in dataclass_fields(config_class):
            types.setdefault(field.name, _arrow_type(hints[field.name]))
    return types


def _arrow_type(hint: Any) -> pa.DataType:
    options = {hint} if not typing.get_args(hint) else set(typing.get_args(hint))
    for python_type, arrow_type in ((float, pa.float64()), (bool, pa.bool_()), (int, pa.int64())):
        if python_type in options:
            return arrow_type
    return pa.string()


def hyperparameter_types(architecture: NamedArchitecture) -> dict[str, Any]:
    """Return the type of each of an architecture's hyperparameters: model, training, data."""
    types: dict[str, Any] = {}
    for config_class in (architecture.config_class, TrainingConfig, DataSettings):
        hints = typing.get_type_hints(config_class)
        types |= {field.name: hints[field.name] for field in dataclasses.fields(config_class)}
    return types
