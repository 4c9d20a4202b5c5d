"""The user's own model, named by its import path `package.module:Class`.

The contract: a `torch.nn.Module` whose constructor takes `vocab_size` and `block_size` and, by
name, its hyperparameters (numbers, text, true or false, null); whose `forward` maps token ids
`[B, T]` (int64, T from 1 to `block_size`) to logits `[B, T, V]`, of which row t sees only ids up to
t. In evaluation mode the same ids must give the same logits. A class derived from `LanguageModel`
is used as it is, with its own cache; any other is read anew at every step of generation.

Shape suffixes: B batch, T time, V vocabulary.
"""

import inspect
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, make_dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn

from picosweep.pico.errors import FieldError
from picosweep.pico.models.conformance import check_model
from picosweep.pico.models.interface import Architecture, Cache, LanguageModel, ModelConfig
from picosweep.pico.models.user_code import forget_changed, import_class
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.value_types import (
    fits,
    is_plain,
    is_real,
    name_of,
    resolve_hint,
    writable_part,
)

SIZES: Final = ("vocab_size", "block_size")
"""Arguments that every constructor takes; the data decides them."""


@dataclass(frozen=True, kw_only=True)
class UserClass:
    """A user's class, and how its constructor is called."""

    path: str
    model_class: type[nn.Module]
    parameters: tuple[inspect.Parameter, ...]
    """Of the constructor, without `self` and without `*args` and `**kwargs`."""
    left_out: Mapping[str, str]
    """Parameters that no spec can give: name to the type that the constructor names."""

    def build(self, vocab_size: int, block_size: int, values: Mapping[str, Any]) -> nn.Module:
        """Return the module for these hyperparameters.

        A parameter whose default no spec can write (a class, a list, a function) keeps it where the
        hyperparameter is null or left out.
        """
        given = {"vocab_size": vocab_size, "block_size": block_size, **values}
        positional: list[Any] = []
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            given[parameter.name] = parameter.default if _keeps(parameter, value) else value
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(given.pop(parameter.name))
        return self.model_class(*positional, **given)


@dataclass(frozen=True, kw_only=True)
class CustomConfig(ModelConfig):
    """Base of the configurations made from the constructors of users' classes."""

    __user_class__: ClassVar[UserClass]
    """Named so that no hyperparameter can have the name."""

    def __post_init__(self) -> None:
        """Check that every value is plain and of a type that the constructor names."""
        for one in fields(self):
            value = getattr(self, one.name)
            if not fits(value, one.type):
                raise FieldError(
                    field=one.name,
                    found=value,
                    allowed=f"{name_of(one.type)}, for {self.__user_class__.path}",
                )

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made at run time: another process makes it again from the import path.
        return _remake, (self.__user_class__.path, asdict(self))


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
    model_class = import_class(path)
    parameters = _parameters(path, model_class)
    hints = _hints(model_class, parameters)
    left_out = {
        name: _source_of(parameters[name].annotation)
        for name, hint in hints.items()
        if hint is None
    }
    for name, hint in left_out.items():
        if parameters[name].default is inspect.Parameter.empty:
            raise FieldError(
                f"the class's argument {name} is {hint}, which no spec can write",
                field="model",
                found=path,
                allowed=f"a number, a text, true, false or null for {name}, or a default",
            )
    config_class = make_dataclass(
        f"{model_class.__name__}Config",
        [
            (name, hint, field(default=_default(parameters[name], hint)))
            for name, hint in hints.items()
            if hint is not None
        ],
        bases=(CustomConfig,),
        namespace={
            "__user_class__": UserClass(
                path=path,
                model_class=model_class,
                parameters=tuple(parameters.values()),
                left_out=left_out,
            ),
            "__doc__": f"Of {path}.",
        },
        frozen=True,
        kw_only=True,
    )
    return Architecture(
        config_class=config_class,
        build=_build,
        flops_per_token=_flops_per_token,
        activations_per_token=_activations_per_token,
    )


def refresh(path: str) -> None:
    """Let `load_architecture` read a class anew whose files have changed since it was imported."""
    if forget_changed(path):
        load_architecture.cache_clear()


def _parameters(path: str, model_class: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """Return the constructor's parameters by name, but `self` and those without a name.

    A class that passes `**kwargs` on gets the two sizes through them.
    """
    every = list(inspect.signature(model_class.__init__).parameters.values())[1:]
    unnamed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = {one.name: one for one in every if one.kind not in unnamed}
    own_constructor = model_class.__init__ is not nn.Module.__init__
    passes_on = own_constructor and any(one.kind is one.VAR_KEYWORD for one in every)
    for size in SIZES:
        if size not in named and not passes_on:
            raise ValueError(f"{path} takes no {size}; allowed: a constructor that takes it")
    for name in named:
        if name in TrainingConfig.__dataclass_fields__:
            raise ValueError(f"{path} takes {name}, a setting of training; allowed: another name")
    return named


def _hints(
    model_class: type[nn.Module], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return what each hyperparameter may be; None for those that no spec can give."""
    constructor = inspect.unwrap(model_class.__init__)
    hints = {}
    for name, parameter in parameters.items():
        if name in SIZES:
            continue
        hint = writable_part(resolve_hint(constructor, parameter.annotation))
        if hint is not None:
            default = _default(parameter, hint)
            if default is not MISSING and not fits(default, hint):
                # `width: int = None`, `scale: int = 0.5`
                hint = typing.Union[hint, type(default)]  # noqa: UP007 # a type made here
        hints[name] = hint
    return hints


def _default(parameter: inspect.Parameter, hint: Any) -> Any:
    """Return a hyperparameter's default: null for one that no spec can write.

    A whole number is a real one where the type says so, or a trial that takes the default and the
    same trial read from the tables would be two.
    """
    value = parameter.default
    if value is parameter.empty:
        return MISSING
    if type(value) is int and is_real(hint):
        return float(value)
    return value if is_plain(value) else None


def _keeps(parameter: inspect.Parameter, value: object) -> bool:
    """Return whether null stands for the constructor's own default."""
    required = parameter.default is parameter.empty
    return value is None and not required and not is_plain(parameter.default)


def _source_of(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _build(config: CustomConfig, vocab_size: int, block_size: int) -> LanguageModel:
    user_class = config.__user_class__
    module = user_class.build(vocab_size, block_size, asdict(config))
    model = (
        module if isinstance(module, LanguageModel) else CustomModel(module, vocab_size, block_size)
    )
    # Where parameters are only counted nothing is drawn: a module that itself places its weights
    # on another device holds there what the memory held before.
    if torch.get_default_device().type != "meta":
        check_model(model, user_class.path, vocab_size, block_size)
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
