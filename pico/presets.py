"""Models by name, as published small models describe them, with their true parameter counts.

Counts come from the built models; a test checks each exactly. Where the published description
claims another number, the preset says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from picosweep.pico.models.interface import ModelConfig
from picosweep.pico.models.transformer import TransformerConfig


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model with the vocabulary, block and training settings that go with it."""

    architecture: str
    """Key of `pico.models.registry.MODELS`."""
    model: ModelConfig
    """Its hyperparameters."""
    vocab_size: int
    """The vocabulary that `num_params` is counted with."""
    block_size: int
    """Tokens in a training window."""
    training: Mapping[str, int | float] = field(default_factory=dict)
    """Settings of training that belong to the preset; the rest stay at their defaults."""
    num_params: int
    """Trained numbers, exactly."""
    note: str = ""
    """What to know about it."""

    def hyperparameters(self) -> dict[str, object]:
        """Return the flat hyperparameters of model and training, as a sweep writes them."""
        return asdict(self.model) | dict(self.training)


def _mini(num_layers: int) -> TransformerConfig:
    return TransformerConfig(
        num_layers=num_layers,
        num_heads=8,
        embed_size=512,
        mlp_ratio=4.0,
        position="rotary",
        norm="rms",
        norm_placement="pre",
        tied_head=False,
    )


def _gpt_char(num_layers: int, num_heads: int, embed_size: int) -> TransformerConfig:
    return TransformerConfig(
        num_layers=num_layers,
        num_heads=num_heads,
        embed_size=embed_size,
        dropout=0.2,
        position="learned",
        norm="layer",
        norm_placement="post",
        bias=True,
    )


SHAKESPEARE_CHARACTERS: Final = 65
"""Different characters in Tiny Shakespeare: the vocabulary that character models count with."""

PRESETS: Final[Mapping[str, Preset]] = {
    "mini-27m": Preset(
        architecture="transformer",
        model=_mini(6),
        vocab_size=8000,
        block_size=512,
        num_params=27_073_024,
    ),
    "mini-46m": Preset(
        architecture="transformer",
        model=_mini(12),
        vocab_size=8000,
        block_size=512,
        num_params=45_953_536,
    ),
    "gpt-char": Preset(
        architecture="transformer",
        model=_gpt_char(8, 8, 384),
        vocab_size=SHAKESPEARE_CHARACTERS,
        block_size=64,
        num_params=14_270_208,
    ),
    "gpt-char-a": Preset(
        architecture="transformer",
        model=_gpt_char(12, 12, 768),
        vocab_size=SHAKESPEARE_CHARACTERS,
        block_size=128,
        training={"batch_size": 64, "accumulation": 4},
        num_params=85_252_608,
        note="Described elsewhere as 45 M parameters; 12 layers of 768 have 85 M.",
    ),
    "gpt-char-b": Preset(
        architecture="transformer",
        model=_gpt_char(18, 12, 768),
        vocab_size=SHAKESPEARE_CHARACTERS,
        block_size=512,
        training={"batch_size": 128, "accumulation": 8},
        num_params=128_074_752,
        note="Described elsewhere as 70 M parameters; 18 layers of 768 have 128 M.",
    ),
    "gpt-char-c": Preset(
        architecture="transformer",
        model=_gpt_char(24, 12, 768),
        vocab_size=SHAKESPEARE_CHARACTERS,
        block_size=1024,
        training={"batch_size": 256, "accumulation": 16},
        num_params=170_995_200,
        note="Described elsewhere as 95 M parameters; 24 layers of 768 have 171 M.",
    ),
}
