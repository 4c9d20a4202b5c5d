"""What stands behind an architecture's name in a spec: a built-in, a preset or a user's class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from picosweep.pico.errors import FieldError
from picosweep.pico.models.custom import CustomConfig, refresh
from picosweep.pico.models.interface import ModelConfig
from picosweep.pico.models.registry import MODELS, find_architecture
from picosweep.pico.models.user_code import code_hash
from picosweep.pico.presets import PRESETS
from picosweep.sweeps.errors import InputError, Problem, did_you_mean
from picosweep.sweeps.spec.document import Document, KeyPath, dotted, problem_of
from picosweep.sweeps.spec.schema import Spec

SOURCE_KEYS: Final = ("model", "preset")
"""Keys of an architecture's entry that name what it is, and are no hyperparameters."""


@dataclass(frozen=True, kw_only=True)
class NamedArchitecture:
    """An architecture under the name that a spec gives it."""

    name: str
    model: str
    """A key of `pico.models.registry.MODELS`, or an import path."""
    preset: Mapping[str, Any]
    """Hyperparameters that a preset fixes, where there is one."""
    source_hash: str
    """Hash of the files of a user's class; empty for built-in ones, which have a version."""

    @property
    def config_class(self) -> type[ModelConfig]:
        """Class of its own hyperparameters."""
        return find_architecture(self.model).config_class

    @property
    def left_out(self) -> Mapping[str, str]:
        """Arguments of a user's class that no spec can give, and their types."""
        config_class = self.config_class
        if not issubclass(config_class, CustomConfig):
            return {}
        return config_class.__user_class__.left_out


def find_architectures(spec: Spec, document: Document) -> dict[str, NamedArchitecture]:
    """Return every architecture of a spec by its name there.

    Raises:
        InputError: an unknown architecture or preset, or a class that cannot be used.
    """
    problems: list[Problem] = []
    found: dict[str, NamedArchitecture] = {}
    for name, written in spec.architectures.items():
        outcome = _find(name, written, document)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            found[name] = outcome
    if problems:
        raise InputError(*problems)
    return found


def _find(name: str, written: Mapping[str, Any], document: Document) -> NamedArchitecture | Problem:
    key: KeyPath = ("architectures", name)
    preset: dict[str, Any] = {}
    model = written.get("model", name)
    if "preset" in written:
        if written["preset"] not in PRESETS:
            return _unknown("preset", written["preset"], PRESETS, (*key, "preset"), document)
        chosen = PRESETS[written["preset"]]
        model = chosen.architecture
        preset = {k: v for k, v in chosen.hyperparameters().items() if v is not None}
        preset["block_size"] = chosen.block_size
    if not isinstance(model, str) or (model not in MODELS and ":" not in model):
        where: KeyPath = (*key, "model") if "model" in written else key
        return _unknown("architecture", model, MODELS, where, document)
    try:
        if model not in MODELS:
            refresh(model)
        find_architecture(model)
    except ValueError as error:  # from a class of the user's own, which may not be a FieldError
        place: KeyPath = (*key, "model")
        if isinstance(error, FieldError):
            return problem_of(error, document, place)
        return Problem(message=str(error), where=document.where(place), key=dotted(place))
    source_hash = "" if model in MODELS else code_hash(model)
    return NamedArchitecture(name=name, model=model, preset=preset, source_hash=source_hash)


def _unknown(
    what: str, found: object, allowed: Mapping[str, Any], key: KeyPath, document: Document
) -> Problem:
    also = ", or model: package.module:Class" if what == "architecture" else ""
    return Problem(
        message=f"unknown {what}",
        where=document.where(key),
        key=dotted(key),
        found=str(found),
        allowed=", ".join(allowed) + also,
        hint=did_you_mean(found, allowed),
    )
