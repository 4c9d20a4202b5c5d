"""Pairs of continuations: a document goes on as it does, or as a corruption of that.

A pair is a pure function of the data, its number and the corruption: nothing is stored, and both
members are on the side of the split that their document is on. Prompt and completion are tokens of
one document, cut between two of them, so no text is ever tokenised across the seam.

Shape suffixes: P pairs, T positions.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from picosweep.pico.data.prepared import PairSide, PreparedData, TokenArray
from picosweep.pico.errors import FieldError
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.targets import IGNORED

LEAST_COMPLETION: Final = 4
"""Tokens of a completion below which a document makes no pair."""
NOISY: Final = 0.3
"""Share of tokens that `token_noise` replaces."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PairBatch:
    """Both members of some pairs, chosen ones first."""

    x: Tensor
    """Tokens that are read, `[2P, T]`."""
    y: Tensor
    """Tokens to predict; `IGNORED` on the prompt and behind the end."""
    numbers: IntArray
    """Which pairs they are."""

    @property
    def num_pairs(self) -> int:
        """Number of pairs."""
        return len(self.x) // 2


class Pairs(Protocol):
    """Pairs of one side of the split, by number."""

    num_dropped: int
    """Of those that were given, how many make no pair."""

    def __len__(self) -> int:
        """Return the number of pairs."""

    def batch(self, numbers: IntArray) -> PairBatch:
        """Return some pairs by their numbers."""


def pairs_of(
    data: PreparedData, config: PreferenceConfig, block_size: int, *, validates: bool
) -> Pairs:
    """Return the pairs of one side of the split: the user's own, or made of its documents.

    Raises:
        FieldError: there is none.
    """
    if data.pairs is not None:
        return OwnPairs(data.pairs.validation if validates else data.pairs.train, block_size)
    if validates:
        documents = (data.validation, data.validation_starts)
    else:
        documents = (data.train, data.train_starts)
    return CorruptedPairs(*documents, config, block_size)


class OwnPairs:
    """The user's own pairs of one side of the split.

    A member that is longer than a block is cut at its end.

    Args:
        side: the pairs.
        block_size: most tokens that a member has, prompt included.

    Raises:
        FieldError: every prompt fills the block.
    """

    def __init__(self, side: PairSide, block_size: int) -> None:
        self._side, self._block_size = side, block_size
        begins = np.concatenate([[0], side.ends[:-1]])
        prompt_lengths = (side.ends - begins)[::3]
        kept = prompt_lengths <= block_size
        self._numbers = np.flatnonzero(kept)
        self.num_dropped = int(np.count_nonzero(~kept))
        if not len(self):
            raise FieldError(
                "every prompt fills the block: no completion is left",
                field="block_size",
                found=block_size,
                allowed=f"at least {int(prompt_lengths.min())}, the shortest prompt's tokens",
            )

    def __len__(self) -> int:
        """Return the number of pairs whose prompt leaves room."""
        return len(self._numbers)

    def batch(self, numbers: IntArray) -> PairBatch:
        """Return some pairs by their numbers."""
        found = [self._pair(int(self._numbers[number])) for number in numbers]
        rows = [(p, chosen) for p, chosen, _ in found] + [(p, other) for p, _, other in found]
        cut = [np.concatenate(row)[: self._block_size + 1] for row in rows]
        return batch_of(numbers, cut, [len(prompt) for prompt, _ in rows], self._block_size)

    def _pair(self, number: int) -> tuple[IntArray, IntArray, IntArray]:
        begin = 0 if number == 0 else int(self._side.ends[3 * number - 1])
        ends = self._side.ends[3 * number : 3 * number + 3]
        prompt, chosen, rejected = (
            self._side.tokens[start:end].astype(np.int64)
            for start, end in itertools.pairwise([begin, *ends.tolist()])
        )
        return prompt, chosen, rejected


def batch_of(
    numbers: IntArray, rows: Sequence[IntArray], prompts: Sequence[int], block_size: int
) -> PairBatch:
    """Return members as tensors: chosen ones first, targets on completions alone.

    Args:
        numbers: which pairs they are.
        rows: tokens of each member, prompt included.
        prompts: tokens of each member's prompt.
        block_size: tokens in a row of the tensors.
    """
    x_BT = np.zeros((len(rows), block_size), dtype=np.int64)
    y_BT = np.full((len(rows), block_size), IGNORED, dtype=np.int64)
    for place, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        x_BT[place, : len(row) - 1] = row[:-1]
        y_BT[place, prompt - 1 : len(row) - 1] = row[prompt:]
    return PairBatch(x=torch.from_numpy(x_BT), y=torch.from_numpy(y_BT), numbers=numbers)


class CorruptedPairs:
    """Pairs of one side of the split, made of its documents.

    Args:
        tokens: its tokens.
        starts: index of the mark before each document, and of the last mark.
        config: how pairs are made.
        block_size: most tokens that a member has, prompt included.

    Raises:
        FieldError: no document is long enough for a prompt and a completion.
    """

    def __init__(
        self, tokens: TokenArray, starts: IntArray, config: PreferenceConfig, block_size: int
    ) -> None:
        if config.prompt_tokens + LEAST_COMPLETION > block_size + 1:
            raise FieldError(
                "the prompt fills the block: no completion is left",
                field="prompt_tokens",
                found=config.prompt_tokens,
                allowed=f"at most {block_size + 1 - LEAST_COMPLETION} in a block of {block_size}",
                involved=("block_size",),
            )
        self._tokens, self._config, self._block_size = tokens, config, block_size
        lengths = np.diff(starts)
        kept = lengths >= config.prompt_tokens + LEAST_COMPLETION
        self._starts, self._lengths = starts[:-1][kept], lengths[kept]
        self.num_dropped = int(np.count_nonzero(~kept))
        """Documents that are too short for a pair."""
        if not len(self):
            raise FieldError(
                "no document is long enough for a pair",
                field="prompt_tokens",
                found=config.prompt_tokens,
                allowed=f"less than the longest document by {LEAST_COMPLETION} tokens: at most "
                f"{max(0, int(lengths.max(initial=0)) - LEAST_COMPLETION)}",
            )

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._starts)

    def batch(self, numbers: IntArray) -> PairBatch:
        """Return some pairs by their numbers."""
        members = [self._pair(int(number)) for number in numbers]
        rows = [pair[0] for pair in members] + [pair[1] for pair in members]
        prompts = [self._config.prompt_tokens] * len(rows)
        return batch_of(numbers, rows, prompts, self._block_size)

    def _pair(self, number: int) -> tuple[IntArray, IntArray]:
        """Return the tokens of a pair's chosen and rejected member."""
        document = self._document(number)
        prompt = document[: self._config.prompt_tokens]
        completion = document[self._config.prompt_tokens :]
        random = np.random.default_rng([number, len(self)])
        corrupt = CORRUPTIONS[self._config.corruption]
        return document, np.concatenate([prompt, corrupt(self, number, completion, random)])

    def _document(self, number: int) -> IntArray:
        start = self._starts[number]
        length = min(self._lengths[number], self._block_size + 1)
        found: IntArray = self._tokens[start : start + length].astype(np.int64)
        return found

    def _shuffled(self, _: int, completion: IntArray, random: np.random.Generator) -> IntArray:
        return random.permutation(completion)

    def _other_document(
        self, number: int, completion: IntArray, random: np.random.Generator
    ) -> IntArray:
        """Return the completion of another document, at most as long; shuffled where none is."""
        if len(self) < 2:
            return random.permutation(completion)
        other = (number + 1 + int(random.integers(len(self) - 1))) % len(self)
        return self._document(other)[self._config.prompt_tokens :][: len(completion)]

    def _token_noise(self, _: int, completion: IntArray, random: np.random.Generator) -> IntArray:
        noisy = random.random(len(completion)) < NOISY
        noisy[random.integers(len(completion))] = True
        drawn = self._tokens[random.integers(len(self._tokens), size=len(completion))]
        return np.where(noisy, drawn.astype(np.int64), completion)

    def _repeated(self, _: int, completion: IntArray, __: np.random.Generator) -> IntArray:
        half = completion[: len(completion) // 2]
        return np.resize(half, len(completion))


_Corruption = Callable[[CorruptedPairs, int, IntArray, np.random.Generator], IntArray]
CORRUPTIONS: Final[Mapping[str, _Corruption]] = {
    "shuffled": CorruptedPairs._shuffled,
    "other_document": CorruptedPairs._other_document,
    "token_noise": CorruptedPairs._token_noise,
    "repeated": CorruptedPairs._repeated,
}
"""What makes a rejected completion of a chosen one, by name."""
