"""Where training and validation rows begin in the flat token array, for each mode.

A row of up to T predictions is `start` and `count`: it reads tokens `start … start + count`, the
first `count` as input and the last `count` as targets.

Shape letters: R rows, D documents.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from picosweep.pico.data.batching.shuffle import IntArray, KeyArray, mix, shuffled
from picosweep.pico.data.prepared import Part
from picosweep.pico.errors import FieldError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows, as they lie in the flat token array."""

    start: IntArray
    """Index of the first input token, shape [R]."""

    count: IntArray
    """Predictions in the row, shape [R]; what is left of it is padding."""

    opens: BoolArray
    """Whether the row is the beginning of one document, shape [R]; false outside padded mode."""

    def take(self, indices: IntArray) -> "Rows":
        """Return the rows at `indices`."""
        return Rows(
            start=self.start[indices],
            count=self.count[indices],
            opens=self.opens[indices],
        )


def full_rows(start_R: IntArray, block_size: int) -> Rows:
    """Return rows without padding."""
    return Rows(
        start=start_R,
        count=np.full(len(start_R), block_size),
        opens=np.zeros(len(start_R), dtype=bool),
    )


@dataclass(frozen=True, kw_only=True)
class StreamRows:
    """Rows of one contiguous stream: each epoch cuts it at another phase."""

    first_token: int
    num_rows: int
    num_phases: int
    block_size: int

    def rows(self, places: IntArray, epoch_keys: KeyArray) -> Rows:
        """Return the rows at `places` of the epochs that `epoch_keys` name."""
        phase = (mix(epoch_keys) % np.uint64(self.num_phases)).astype(np.int64)
        block = shuffled(places, self.num_rows, epoch_keys)
        return full_rows(self.first_token + phase + block * self.block_size, self.block_size)


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows listed beforehand: each epoch puts them into another order."""

    table: Rows
    num_rows: int

    def rows(self, places: IntArray, epoch_keys: KeyArray) -> Rows:
        """Return the rows at `places` of the epochs that `epoch_keys` name."""
        return self.table.take(shuffled(places, self.num_rows, epoch_keys))


def stream_rows(part: Part, block_size: int) -> StreamRows:
    """Cut a part of the token array into rows that share no input token.

    Raises:
        FieldError: the part is shorter than one row.
    """
    if part.num_tokens <= block_size:
        raise FieldError(
            f"too short for one block of {block_size} tokens",
            field="data.block_size",
            found=f"{part.num_tokens} training tokens in {part.name!r}",
            allowed=f"at most {part.num_tokens - 1}",
        )
    # As many rows as every phase has room for; the tokens left out are other ones each epoch.
    num_rows = max(1, (part.num_tokens - block_size) // block_size)
    return StreamRows(
        first_token=part.first_token,
        num_rows=num_rows,
        num_phases=min(block_size, part.num_tokens - num_rows * block_size),
        block_size=block_size,
    )


def document_rows(
    part: Part, starts: IntArray, block_size: int, *, mode: str, predict_end: bool
) -> Rows:
    """Return rows that begin where documents do.

    A document longer than a row goes on in rows of its own. In `padded` mode a row holds one
    document or a piece of one; in `packed` mode also the documents after it that still fit whole.
    """
    start_D = starts[part.first_start : part.end_start - 1]
    length_D = np.diff(starts[part.first_start : part.end_start])
    if not predict_end and mode == "padded":
        length_D = length_D - 1
    num_pieces_D = -(-length_D // block_size)
    ends_D = np.cumsum(num_pieces_D)
    total = int(ends_D[-1])
    piece_R = np.arange(total) - np.repeat(ends_D - num_pieces_D, num_pieces_D)
    offset_R = piece_R * block_size
    pieces = Rows(
        start=np.repeat(start_D, num_pieces_D) + offset_R,
        count=np.minimum(np.repeat(length_D, num_pieces_D) - offset_R, block_size),
        opens=piece_R == 0,
    )
    return pieces if mode == "padded" else _packed(pieces, part, block_size)


def _packed(pieces: Rows, part: Part, block_size: int) -> Rows:
    """Join neighbouring pieces while they fit into one row together."""
    edges = np.append(pieces.start, part.end_token - 1)
    next_piece = (np.searchsorted(edges, pieces.start + block_size, side="right") - 1).tolist()
    firsts = []
    piece = 0
    while piece < len(next_piece):
        firsts.append(piece)
        piece = next_piece[piece]
    first_R = np.array(firsts)
    end_R = np.append(first_R[1:], len(next_piece))
    return Rows(
        start=edges[first_R],
        count=edges[end_R] - edges[first_R],
        opens=np.zeros(len(firsts), dtype=bool),
    )
