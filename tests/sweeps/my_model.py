"""A user's own module, as a spec names it."""

import sys
import time
from pathlib import Path

import torch
from torch import nn


class Bigram(nn.Module):
    """Predicts the next token from the current one alone."""

    def __init__(self, vocab_size: int, block_size: int, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(ids))  # type: ignore[no-any-return]


class Fragile(Bigram):
    """Cannot be made with some of its widths, and does not say so with a ValueError."""

    def __init__(self, vocab_size: int, block_size: int, width: int = 8) -> None:
        if width % 2:
            raise RuntimeError("an odd width")
        super().__init__(vocab_size, block_size, width)


class Leisurely(Bigram):
    """Takes a while over each training step of a sweep, as long as a file is there."""

    def __init__(self, vocab_size: int, block_size: int, file: str, width: int = 8) -> None:
        super().__init__(vocab_size, block_size, width)
        self.file = Path(file)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        # The driver, too, makes models, to count what they cost.
        is_worker = Path(sys.argv[0]).name == "default_worker.py"
        if is_worker and self.training and self.file.exists():
            time.sleep(0.2)
        return super().forward(ids)
