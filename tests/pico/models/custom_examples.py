"""Users' models, right and wrong, for the tests of `pico.models.custom`."""

import torch
from torch import Tensor, nn

from picosweep.pico.models.lstm import LSTM, LSTMConfig


class Good(nn.Module):
    def __init__(
        self, vocab_size: int, block_size: int, width: int = 8, slope: float = 0.5, kind: str = "a"
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(slope)
        self.head = nn.Linear(width, vocab_size, bias=kind == "a")

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.drop(self.gru(self.embedding(ids))[0]))


class OneHot(nn.Module):
    """Has no embedding and looks at a number in its constructor."""

    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__()
        self.size = vocab_size
        self.head = nn.Linear(vocab_size, vocab_size)
        self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(nn.functional.one_hot(ids, self.size).float())


class Own(LSTM):
    """A language model with a cache of its own."""

    def __init__(self, vocab_size: int, block_size: int, hidden_size: int = 8) -> None:
        super().__init__(LSTMConfig(hidden_size=hidden_size, embed_size=4), vocab_size, block_size)


class LooksAhead(Good):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids.flip(1)).flip(1)


class TimeFirst(Good):
    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__(vocab_size, block_size)
        self.gru = nn.GRU(8, 8)


class AlwaysRandom(Good):
    def forward(self, ids: Tensor) -> Tensor:
        logits = super().forward(ids)
        return logits + torch.randn_like(logits)


class Pair(Good):
    def forward(self, ids: Tensor) -> tuple[Tensor, None]:
        return super().forward(ids), None


class LastOnly(Good):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids)[:, -1]


class FixedLength(Good):
    def __init__(self, vocab_size: int, block_size: int) -> None:
        super().__init__(vocab_size, block_size)
        self.places = nn.Parameter(torch.zeros(block_size, vocab_size))

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + self.places.view(-1, len(self.places), self.places.shape[1])


class Infinite(Good):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) / 0


class NoSizes(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()


class AnyNames(nn.Module):
    def __init__(self, vocab_size: int, block_size: int, **options: int) -> None:
        super().__init__()


class TakesTraining(nn.Module):
    def __init__(self, vocab_size: int, block_size: int, batch_size: int = 1) -> None:
        super().__init__()


NOT_A_CLASS = 3
