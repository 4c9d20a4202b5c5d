"""The complete configuration of one training run: equal configurations train to equal bits."""

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields

from picosweep.pico.errors import FieldError, nearest
from picosweep.pico.field_checks import Count, check_fields
from picosweep.pico.models.interface import ModelConfig
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.training_config import PrecisionName, TrainingConfig
from picosweep.pico.value_types import is_real

TRAINING_VERSION: typing.Final = 2
"""Part of every trial's identity: raise it whenever one configuration trains to other numbers, so
that results stored by older code are not taken for the newer code's. A golden test checks it."""
BF16_VERSION: typing.Final = 3
"""The same for trials in bf16, whose attention works in fp32 on a CPU since."""


def training_version(precision: PrecisionName) -> int:
    """Return the version of the code that trains a trial in one number format."""
    return BF16_VERSION if precision == "bf16" else TRAINING_VERSION


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that decides a training run, but for the data and the device.

    Raises:
        ValueError: a field is out of range, or `horizon_steps` does not fit the schedule.
    """

    architecture: str
    """Name in `pico.models.registry.MODELS`, or import path `package.module:Class` of your own."""

    model: ModelConfig
    """The architecture's own hyperparameters."""

    training: TrainingConfig
    """Optimizer, schedule, batch and precision."""

    task: str = "language_modeling"
    """Name in `pico.tasks.registry.TASKS`."""

    block_size: Count = 64
    """Tokens in one training sequence."""

    validation_tokens: Count = 32_768
    """Most tokens of the fixed validation set that one evaluation reads."""

    seed: int = 0
    """Seed of the weights, the order of the data, and dropout."""

    preference: PreferenceConfig | None = None
    """Loss and pairs of the task `preference`, and of no other."""

    horizon_steps: int | None = None
    """Total steps where, and only where, the schedule looks at the end; None otherwise, so that a
    larger budget continues the same trial instead of being another."""

    init_from: str | None = None
    """The weights to start from, as `pico.weights.restore.weights_fingerprint` names those of a
    checkpoint; `None` starts from random ones."""

    def __post_init__(self) -> None:
        check_fields(self)
        if isinstance(self.seed, bool) or not 0 <= self.seed < 2**63:
            raise FieldError(field="seed", found=self.seed, allowed="an integer in [0, 2^63)")
        if (self.task == "preference") != (self.preference is not None):
            raise FieldError(
                field="preference",
                found=self.preference,
                allowed="settings, with the task preference and no other",
            )
        if self.training.needs_horizon != (self.horizon_steps is not None):
            steps = "the total steps" if self.training.needs_horizon else "None"
            raise FieldError(
                field="horizon_steps",
                found=self.horizon_steps,
                allowed=f"{steps}, with schedule {self.training.schedule}",
                involved=("schedule",),
            )
        if self.training.lora_rank is not None and self.init_from is None:
            rank = self.training.lora_rank
            raise FieldError(field="lora_rank", found=rank, allowed="null, without init_from")
        if self.preference is not None:
            self._check_pairs()

    def _check_pairs(self) -> None:
        """Refuse what preference training would ignore, and steps whose pairs are uneven."""
        for name in ("label_smoothing", "token_dropout"):
            if getattr(self.training, name):
                raise FieldError(
                    field=name,
                    found=getattr(self.training, name),
                    allowed="0 in preference training",
                )
        if self.training.batch_size % (2 * self.training.accumulation):
            raise FieldError(
                field="batch_size",
                found=self.training.batch_size,
                allowed="an even number of members for each of "
                f"{self.training.accumulation} micro-batches",
                involved=("accumulation",),
            )

    @property
    def tokens_per_step(self) -> int:
        """Training tokens of one optimizer step."""
        return self.training.batch_size * self.block_size

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types with every default filled in: what a trial's hash is made of."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {"model": dict(vars(self.model)), "training": dict(vars(self.training))}
        if self.preference is None:
            # Another task's settings are no part of this one: its trials keep their identity.
            del values["preference"]
            return values
        return values | {"preference": dict(vars(self.preference))}

    def equals(self, stored: Mapping[str, object]) -> bool:
        """Return whether a stored configuration is this one.

        Args:
            stored: what `to_dict` returned, perhaps in an older version, which lacks fields that
                are at their defaults here.
        """
        try:
            return TrialConfig.from_dict(stored) == self
        except (ValueError, TypeError, KeyError):
            return False

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "TrialConfig":
        """Rebuild the configuration from what `to_dict` returned.

        Raises:
            ValueError: an unknown architecture or field, or a value out of range.
        """
        architecture, parts = str(values["architecture"]), dict(values)
        config_class = find_architecture(architecture).config_class
        model = build_config(config_class, _mapping(parts, "model"))
        training = build_config(TrainingConfig, _mapping(parts, "training"))
        parts |= {"model": model, "training": training}
        if parts.get("preference") is not None:
            parts["preference"] = build_config(PreferenceConfig, _mapping(parts, "preference"))
        return build_config(cls, parts)


def resolve(
    architecture: str, hyperparameters: Mapping[str, object]
) -> tuple[ModelConfig, TrainingConfig]:
    """Split a flat mapping of hyperparameters over the model's and the training's configuration.

    Args:
        architecture: name in the registry, or an import path.
        hyperparameters: values by field name; what is absent takes its default.

    Raises:
        ValueError: an unknown architecture or name (with the nearest known one), or a value that
            its configuration does not allow.
    """
    config_class = find_architecture(architecture).config_class
    model_fields = {f.name for f in fields(config_class)}
    training_fields = {f.name for f in fields(TrainingConfig)}
    for name in hyperparameters:
        if name not in model_fields | training_fields:
            _refuse_unknown(
                f"hyperparameter of {architecture}", name, model_fields | training_fields
            )
    model = {k: v for k, v in hyperparameters.items() if k in model_fields}
    training = {k: v for k, v in hyperparameters.items() if k in training_fields}
    return build_config(config_class, model), build_config(TrainingConfig, training)


T = typing.TypeVar("T")


def build_config(config_class: type[T], values: Mapping[str, object]) -> T:
    """Build a configuration dataclass; whole numbers given for real fields become real.

    JSON and YAML write 1.0 as 1: without this, two spellings of one trial would hash differently.

    Raises:
        ValueError: an unknown field, or a value the class does not allow.
    """
    hints = _hints(config_class)  # type: ignore[arg-type] # a class is hashable
    if not values.keys() <= hints.keys():
        unknown = next(name for name in values if name not in hints)
        _refuse_unknown(f"field of {config_class.__name__}", unknown, set(hints))
    real = _real_fields(config_class)  # type: ignore[arg-type]
    return config_class(
        **{
            name: float(value) if type(value) is int and name in real else value
            for name, value in values.items()
        }
    )


@functools.lru_cache(maxsize=64)
def _hints(config_class: type[typing.Any]) -> dict[str, typing.Any]:
    """Return the types of a class's fields, found once: a sweep builds tens of thousands."""
    hints = typing.get_type_hints(config_class)
    return {field.name: hints[field.name] for field in fields(config_class)}


@functools.lru_cache(maxsize=64)
def _real_fields(config_class: type[typing.Any]) -> frozenset[str]:
    """Return the fields that hold real numbers and no whole ones."""
    hints = _hints(config_class)  # type: ignore[arg-type]
    return frozenset(name for name, hint in hints.items() if is_real(hint))


def _mapping(parts: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = parts[name]
    if not isinstance(value, Mapping):
        raise FieldError(field=name, found=value, allowed="a mapping of fields")
    return value


def _refuse_unknown(what: str, name: str, known: set[str]) -> typing.NoReturn:
    allowed = ", ".join(sorted(known))
    raise FieldError(f"unknown {what}", field=name, allowed=allowed, near=nearest(name, known))
