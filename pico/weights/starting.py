"""What is known of the weights that trials start from, so that those they do not fit are refused.

A trial whose model has other shapes cannot be trained; one of preference training whose model
computes something else, in the same shapes, would be compared with a reference that it never was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from picosweep.pico.errors import FieldError
from picosweep.pico.facts import built_without_weights
from picosweep.pico.models.interface import LanguageModel, ModelConfig
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.restore import restore_model, weights_fingerprint

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class StartingWeights:
    """A checkpoint to start from, without its weights."""

    fingerprint: str
    """What `TrialConfig.init_from` names it by."""
    trial: TrialConfig
    """The trial that was trained to it."""
    tokenizer_fingerprint: str
    shapes: Shapes
    """By name of the tensor."""

    @classmethod
    def of(cls, checkpoint: bytes) -> "StartingWeights":
        """Read what a checkpoint says of itself.

        Raises:
            CheckpointError: it is damaged.
            ValueError: its architecture is not known here.
        """
        source = restore_model(checkpoint)
        return cls(
            fingerprint=weights_fingerprint(checkpoint),
            trial=source.trial,
            tokenizer_fingerprint=source.tokenizer_fingerprint,
            shapes=_shapes_of(source.model),
        )

    def check(self, trial: TrialConfig, vocab_size: int, tokenizer_fingerprint: str) -> None:
        """Refuse a trial that cannot start from these weights.

        Args:
            trial: the trial that is to start from them.
            vocab_size: size of its vocabulary.
            tokenizer_fingerprint: the tokenizer of its data.

        Raises:
            FieldError: another tokenizer or architecture, other shapes, or, where the trial is
                compared with them, another function of the same shapes.
        """
        if trial.architecture != self.trial.architecture:
            raise FieldError(
                f"its weights are of the architecture {self.trial.architecture}",
                field="init_from",
                found=trial.architecture,
                allowed=self.trial.architecture,
            )
        if tokenizer_fingerprint != self.tokenizer_fingerprint:
            raise FieldError(
                "its weights were trained with another tokenizer",
                field="init_from",
                found=f"tokenizer {tokenizer_fingerprint[:8]} of this sweep's data",
                allowed=f"tokenizer {self.tokenizer_fingerprint[:8]}",
            )
        if trial.task == "preference":
            self._check_same_function(trial.model)
        shapes = _shapes(trial.architecture, trial.model, vocab_size, trial.block_size)
        if shapes != self.shapes:
            raise FieldError(
                f"its weights do not fit: {self._differences(trial, shapes)}",
                field="init_from",
                involved=("model",),
            )

    def _check_same_function(self, model: ModelConfig) -> None:
        for name, value in vars(self.trial.model).items():
            if "dropout" not in name and getattr(model, name) != value:
                raise FieldError(
                    f"the reference has {value}",
                    field=name,
                    found=getattr(model, name),
                    allowed=value,
                )

    def _differences(self, trial: TrialConfig, shapes: Shapes) -> str:
        """Name the settings that differ, or where none does a tensor."""
        ours = {**vars(trial.model), "block_size": trial.block_size}
        theirs = {**vars(self.trial.model), "block_size": self.trial.block_size}
        settings = [
            f"{name} {ours[name]} here, {theirs[name]} there"
            for name in ours.keys() & theirs.keys()
            if ours[name] != theirs[name]
        ]
        tensors = [
            f"{name} {list(shapes.get(name, ()))} here, {list(self.shapes.get(name, ()))} there"
            for name in sorted({*shapes, *self.shapes})
            if shapes.get(name) != self.shapes.get(name)
        ]
        return "; ".join(sorted(settings) or tensors[:3])


@lru_cache(maxsize=1024)
def _shapes(architecture: str, model: ModelConfig, vocab_size: int, block_size: int) -> Shapes:
    found = find_architecture(architecture)
    return _shapes_of(built_without_weights(found, model, vocab_size, block_size))


def _shapes_of(model: LanguageModel) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
