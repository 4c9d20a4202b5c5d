"""An LSTM whose output goes through an activation before the head reads it.

An LSTM's output is a gate times a tanh, between -1 and 1; a ReLU throws its negative half away.

Shape suffixes: B batch, T time, E embed size, H hidden size, V vocabulary.
"""

from typing import Literal

from torch import Tensor, nn


class ActivatedLSTM(nn.Module):
    """Embedding, LSTM layers, an activation, head."""

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        *,
        num_layers: int = 1,
        hidden_size: int = 128,
        embed_size: int = 64,
        activation: Literal["none", "relu", "gelu"] = "none",
    ) -> None:
        super().__init__()
        del block_size  # the state has the same size however long the text
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, num_layers=num_layers, batch_first=True)
        self.activation = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU}[activation]()
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits `[B, T, V]` for token ids `[B, T]`."""
        hidden_BTH, _ = self.lstm(self.embedding(ids_BT))
        return self.head(self.activation(hidden_BTH))  # type: ignore[no-any-return]
