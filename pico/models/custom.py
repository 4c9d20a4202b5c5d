"""The user's own model, named by its import path `package.module:Class`.

The contract: a `torch.nn.Module` whose constructor takes `vocab_size` and `block_size` and, by
name, its hyperparameters (numbers, text, true or false); whose `forward` maps token ids `[B, T]`
(int64, T from 1 to `block_size`) to logits `[B, T, V]`, of which row t sees only ids up to t. In
evaluation mode the same ids must give the same logits. A class derived from `LanguageModel` is
used as it is, with its own cache; any other is read anew at every step of generation.

Shape suffixes: B batch, T time, V vocabulary.
"""

import importlib
import inspect
import math
import typing
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, make_dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from picosweep.pico.errors import FieldError
from picosweep.pico.models.conformance import check_model
from picosweep.pico.models.interface import Architecture, Cache, LanguageModel, ModelConfig
from picosweep.pico.training_config import TrainingConfig

PLAIN_TYPES = (bool, int, float, str)


@dataclass(frozen=True, kw_only=True)
class CustomConfig(ModelConfig):
    """Base of the configurations made from the constructors of users' classes."""

    path: ClassVar[str]
    model_class: ClassVar[type[nn.Module]]

    def __post_init__(self) -> None:
        """Check that every value is plain and of the type that the constructor names."""
        hints = {hyperparameter.name: hyperparameter.type for hyperparameter in fields(self)}
        for name, value in asdict(self).items():
            hint = hints[name]
            allowed = (hint,) if isinstance(hint, type) and hint in PLAIN_TYPES else PLAIN_TYPES
            if hint is float and type(value) is int:
                continue
            if type(value) not in allowed and not (value is None and hint not in PLAIN_TYPES):
                names = " or ".join(kind.__name__ for kind in allowed)
                allowed_here = f"{names}, for {self.path}"
                raise FieldError(field=name, found=value, allowed=allowed_here)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made at run time: another process makes it again from the import path.
        return _remake, (self.path, asdict(self))


class CustomModel(LanguageModel):
    """A plain module with the interface of a language model."""

    def __init__(self, module: nn.Module, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.module, self.vocab_size, self.block_size = module, vocab_size, block_size

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return the module's logits `[B, T, V]`."""
        return self.module(ids_BT)  # type: ignore[no-any-return]

    def init_cache(self, batch_size: int) -> Cache:
        """Return the ids read so far: none."""
        device = next(iter(self.parameters())).device
        return torch.empty(batch_size, 0, dtype=torch.int64, device=device)

    def step(self, ids_BT: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Read all ids anew and return the logits of the new ones."""
        read_BT = torch.cat([cache, ids_BT], dim=1)
        if read_BT.shape[1] > self.block_size:
            allowed = f"at most block_size ({self.block_size})"
            raise ValueError(f"{read_BT.shape[1]} tokens; allowed: {allowed}")
        return self.module(read_BT)[:, -ids_BT.shape[1] :], read_BT

    def token_vectors(self) -> Tensor:
        """Return the first embedding over the vocabulary, or else the last linear layer onto it.

        Raises:
            ValueError: the module has neither.
        """
        for found in self._of_vocabulary(nn.Embedding):
            return found
        for found in reversed(list(self._of_vocabulary(nn.Linear))):
            return found
        raise ValueError(
            f"{type(self.module).__name__} has neither an Embedding nor a Linear layer with"
            f" {self.vocab_size} rows: there is no vector for each token"
        )

    def _of_vocabulary(self, kind: type[nn.Module]) -> Iterator[Tensor]:
        for part in self.module.modules():
            if isinstance(part, kind) and len(weight := typing.cast("Tensor", part.weight)) == (
                self.vocab_size
            ):
                yield weight


@lru_cache
def load_architecture(path: str) -> Architecture:
    """Return the architecture of the user's class at `path`, imported but not yet built.

    Raises:
        ValueError: it cannot be imported, is no module, or its constructor does not say what its
            hyperparameters are.
    """
    model_class = _import_class(path)
    config_class = make_dataclass(
        f"{model_class.__name__}Config",
        _hyperparameters(path, model_class),
        bases=(CustomConfig,),
        namespace={"path": path, "model_class": model_class, "__doc__": f"Of {path}."},
        frozen=True,
        kw_only=True,
    )
    return Architecture(
        config_class=config_class,
        build=_build,
        flops_per_token=_flops_per_token,
        activations_per_token=_activations_per_token,
    )


def _import_class(path: str) -> type[nn.Module]:
    module_name, _, class_name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        allowed = f"package.module:Class that can be imported ({reason})"
        raise FieldError(field="model", found=path, allowed=allowed) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise FieldError(field="model", found=path, allowed="a class derived from torch.nn.Module")
    return found


def _hyperparameters(path: str, model_class: type[nn.Module]) -> list[tuple[str, Any, Any]]:
    """Return name, type and default of each parameter of the constructor but the two sizes."""
    constructor = model_class.__init__
    parameters = dict(list(inspect.signature(constructor).parameters.items())[1:])
    try:
        hints = typing.get_type_hints(constructor)
    except NameError:
        hints = {}
    for size in ("vocab_size", "block_size"):
        if parameters.pop(size, None) is None:
            raise ValueError(f"{path} takes no {size}; allowed: a constructor that takes it")
    found = []
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise ValueError(f"{path} takes *{name}; allowed: hyperparameters by their own names")
        if name in TrainingConfig.__dataclass_fields__:
            raise ValueError(f"{path} takes {name}, a setting of training; allowed: another name")
        default = MISSING if parameter.default is parameter.empty else parameter.default
        hint = hints.get(name, type(default) if type(default) in PLAIN_TYPES else object)
        found.append((name, hint, field(default=default)))
    return found


def _build(config: CustomConfig, vocab_size: int, block_size: int) -> LanguageModel:
    module = config.model_class(vocab_size=vocab_size, block_size=block_size, **asdict(config))
    model = (
        module if isinstance(module, LanguageModel) else CustomModel(module, vocab_size, block_size)
    )
    if all(parameter.device.type != "meta" for parameter in model.parameters()):
        check_model(model, config.path, vocab_size, block_size)
    return model


def _flops_per_token(config: CustomConfig, vocab_size: int, block_size: int) -> float:
    """Return 2 per weight of all matrices but embeddings; attention's products are left out."""
    model = _example(config, vocab_size, block_size)
    weights = {
        parameter
        for part in model.modules()
        if not isinstance(part, nn.Embedding)
        for parameter in part.parameters(recurse=False)
        if parameter.ndim > 1
    }
    return 2.0 * sum(parameter.numel() for parameter in weights)


def _activations_per_token(config: CustomConfig, vocab_size: int, block_size: int) -> float:
    """Return how many numbers autograd keeps per token, measured on one block."""
    model = _example(config, vocab_size, block_size)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept_bytes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept_bytes[storage.data_ptr()] = storage.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with hooks, torch.random.fork_rng(devices=[]):
        logits_BTV = model(torch.zeros(1, block_size, dtype=torch.int64))
    del logits_BTV  # it holds what was kept, and so the addresses, until here
    return math.ceil(sum(kept_bytes.values()) / 4 / block_size)


@lru_cache(maxsize=1)
def _example(config: CustomConfig, vocab_size: int, block_size: int) -> LanguageModel:
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        return _build(config, vocab_size, block_size)


def _remake(path: str, values: dict[str, Any]) -> ModelConfig:
    return load_architecture(path).config_class(**values)
