"""A Transformer whose attention has no output projection: heads are joined and added as they are.

Each head then writes to numbers of the residual stream that no other head of its layer can reach,
which Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.2, mend by a matrix.

Shape suffixes: B batch, T time.
"""

from typing import Literal

from torch import Tensor, nn

from picosweep.pico.models.transformer import Block, Transformer, TransformerConfig


class NoProjection(nn.Module):
    """The project's Transformer with each attention's last matrix taken out."""

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        *,
        num_layers: int = 2,
        num_heads: int = 4,
        embed_size: int = 64,
        dropout: float = 0.0,
        position: Literal["learned", "sinusoidal", "rotary", "none"] = "rotary",
        norm: Literal["rms", "layer"] = "rms",
        norm_placement: Literal["pre", "post"] = "pre",
    ) -> None:
        super().__init__()
        config = TransformerConfig(
            num_layers=num_layers,
            num_heads=num_heads,
            embed_size=embed_size,
            dropout=dropout,
            position=position,
            norm=norm,
            norm_placement=norm_placement,
        )
        self.transformer = Transformer(config, vocab_size, block_size)
        for block in self.transformer.blocks:
            assert isinstance(block, Block)
            block.attention.out = nn.Identity()  # type: ignore[assignment]

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]` for token ids `[B, T]`."""
        return self.transformer(ids_BT)  # type: ignore[no-any-return]
