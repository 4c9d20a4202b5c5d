"""The hyperparameters that architectures have: their names and types."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields as dataclass_fields
from typing import Any, Final

import pyarrow as pa

from picosweep.pico.facts import Facts
from picosweep.pico.preference_config import PreferenceConfig
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


def parts_of_task(task: str) -> tuple[type[Any], ...]:
    """Return the configurations that every architecture's trials have under a task."""
    of_task = (PreferenceConfig,) if task == "preference" else ()
    return (TrainingConfig, DataSettings, *of_task)


def column_types(
    architectures: Mapping[str, NamedArchitecture], task: str
) -> Iterator[tuple[str, str, pa.DataType]]:
    """Yield architecture, name and Arrow type of each hyperparameter whose type is certain."""
    own = {name: found.config_class for name, found in architectures.items()}
    shared = [(name, part) for part in parts_of_task(task) for name in architectures]
    for architecture, config_class in [*own.items(), *shared]:
        hints = typing.get_type_hints(config_class)
        for field in dataclass_fields(config_class):
            kind = _arrow_type(hints[field.name])
            if kind is not None:
                yield architecture, field.name, kind


def _arrow_type(hint: Any) -> pa.DataType | None:
    """Return the type of a column for an annotation; None where the values must decide."""
    options = set(typing.get_args(hint) or (hint,)) - {type(None)}
    if options == {int, float}:
        return pa.float64()
    if len(options) == 1:
        (option,) = options
        types = {float: pa.float64(), bool: pa.bool_(), int: pa.int64(), str: pa.string()}
        return types.get(option, pa.string() if isinstance(option, str) else None)
    return pa.string() if all(isinstance(option, str) for option in options) else None


def hyperparameter_types(architecture: NamedArchitecture, task: str) -> dict[str, Any]:
    """Return the type of each of an architecture's hyperparameters: model, training, data, task."""
    types: dict[str, Any] = {}
    for config_class in (architecture.config_class, *parts_of_task(task)):
        hints = typing.get_type_hints(config_class)
        types |= {field.name: hints[field.name] for field in dataclasses.fields(config_class)}
    return types
