"""Users' models, right and wrong, for the tests of `pico.models.custom`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from picosweep.pico.models.lstm import LSTM, LSTMConfig

if TYPE_CHECKING:
    from collections.abc import Sequence


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


class OneHotByNumpy(OneHot):
    """Looks at numbers through NumPy, which refuses the meta device in another way."""

    def __init__(self, vocab_size: int, block_size: int) -> None:
        nn.Module.__init__(self)
        self.size = vocab_size
        self.head = nn.Linear(vocab_size, vocab_size)
        self.rates = torch.linspace(0, 1, 3).numpy().tolist()


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


class Tiny(nn.Module):
    """As people write it, with no hints at all."""

    def make(self, vocab_size, width):  # type: ignore[no-untyped-def]
        self.embedding = nn.Embedding(vocab_size, width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):  # type: ignore[no-untyped-def]
        return self.head(self.embedding(ids))


class Bare(Tiny):
    def __init__(self, vocab_size, block_size, width):  # type: ignore[no-untyped-def]
        super().__init__()
        self.make(vocab_size, width)


class BareDefault(Tiny):
    def __init__(self, vocab_size, block_size, width=8):  # type: ignore[no-untyped-def]
        super().__init__()
        self.make(vocab_size, width)


class BareNone(Tiny):
    def __init__(self, vocab_size, block_size, width=None):  # type: ignore[no-untyped-def]
        super().__init__()
        self.make(vocab_size, width or 8)


class ImpliedOptional(Tiny):
    def __init__(self, vocab_size: int, block_size: int, width: int = None) -> None:  # type: ignore[assignment] # noqa: RUF013
        super().__init__()
        self.make(vocab_size, width or 8)


class ForCheckersOnly(Tiny):
    def __init__(
        self, vocab_size: int, block_size: int, width: int, shapes: "Sequence[int]" = ()
    ) -> None:
        super().__init__()
        self.make(vocab_size, width)
        assert shapes == ()


class AnyHint(Tiny):
    def __init__(self, vocab_size: int, block_size: int, width: Any = 8) -> None:
        super().__init__()
        self.make(vocab_size, width)


class ListDefault(Tiny):
    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: int = 8,
        sizes: list[int] = [1, 2],  # noqa: B006
    ) -> None:
        super().__init__()
        self.make(vocab_size, width)
        assert sizes == [1, 2]


class ClassDefault(Tiny):
    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: int = 8,
        norm: type = nn.LayerNorm,
        act: str | Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        self.make(vocab_size, width)
        self.norm, self.act = norm, act


class KeywordOnly(Tiny):
    def __init__(self, *, vocab_size: int, block_size: int, width: int = 8) -> None:
        super().__init__()
        self.make(vocab_size, width)


class PositionalOnly(Tiny):
    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        sizes: list[int] = [1],  # noqa: B006
        width: int = 8,
        /,
    ) -> None:
        super().__init__()
        self.make(vocab_size, width)
        assert sizes == [1]


class PassesOn(BareDefault):
    def __init__(self, width: int = 8, **rest: int) -> None:
        super().__init__(width=width, **rest)


class RealDefault(Tiny):
    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        slope: float = 1,
        rate: float | None = 2,
        size: int = 0.5,  # type: ignore[assignment]
    ) -> None:
        super().__init__()
        self.make(vocab_size, 8)
        assert (slope, rate, size) == (1, 2, 0.5)


class NamedLikeOurs(Tiny):
    def __init__(
        self, vocab_size: int, block_size: int, width: int, model_class: str, path: str
    ) -> None:
        super().__init__()
        self.make(vocab_size, width)
        assert (model_class, path) == ("a", "b")


class OnDevice(Tiny):
    def __init__(self, vocab_size: int, block_size: int, device: str = "cpu") -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 8, device=device)
        self.head = nn.Linear(8, vocab_size, device=device)


class NeedsAList(nn.Module):
    def __init__(self, vocab_size: int, block_size: int, sizes: list[int]) -> None:
        super().__init__()


class NoConstructor(nn.Module):
    pass


class TakesTraining(nn.Module):
    def __init__(self, vocab_size: int, block_size: int, batch_size: int = 1) -> None:
        super().__init__()


NOT_A_CLASS = 3
