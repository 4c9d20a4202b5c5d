"""Training batches by step number, and the fixed validation set.

Shape letters: B rows, T tokens of a row, R rows looked up together.
"""

from collections.abc import Iterator

import numpy as np
import torch

from picosweep.pico.data.batching.rows import (
    Rows,
    StreamRows,
    TableRows,
    document_rows,
    full_rows,
    stream_rows,
)
from picosweep.pico.data.batching.shuffle import IntArray, keys
from picosweep.pico.data.prepared import Meta, Part, PreparedData, TokenArray
from picosweep.pico.targets import IGNORED

_ROWS_LOOKED_UP_TOGETHER = 4096
_MIXTURE_CYCLE = 1024


class TrainBatches:
    """Batches of training rows: `batch(step)` depends on the data, the sizes, the seed and `step`.

    Each source gives its rows in epochs: every row once, in a new order. A contiguous stream is
    cut at another place in each epoch. A mixture takes rows from its sources by their weights,
    evenly spread, whatever their sizes.

    Args:
        data: prepared data, as `prepare` returned it.
        block_size: tokens in a row, T.
        batch_size: rows in a batch, B.
        seed: seed of the order of the rows.

    Raises:
        FieldError: a source that is one contiguous stream is shorter than one row.
    """

    def __init__(self, data: PreparedData, *, block_size: int, batch_size: int, seed: int) -> None:
        self._tokens = data.train
        self._meta = data.meta
        self._block_size = block_size
        self._batch_size = batch_size
        self._seed = seed
        self._parts = [
            _epoch_rows(part, data.train_starts, block_size, data.meta)
            for part in data.meta.train_parts
        ]
        self._cycle = _mixture_cycle([part.weight for part in data.meta.train_parts])
        self._steps_together = max(1, _ROWS_LOOKED_UP_TOGETHER // batch_size)
        self._window = -1
        self._rows: Rows | None = None

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets of one step.

        Args:
            step: number of the optimizer step, from 0.

        Returns:
            `x_BT` and `y_BT`, int64; `y_BT` holds -100 where there is no loss.
        """
        window, place = divmod(step, self._steps_together)
        if self._rows is None or window != self._window:
            # The choice of rows costs as much for thousands as for one: looked up in advance, it
            # adds next to nothing to the time of a step.
            self._rows = self._look_up(window)
            self._window = window
        first = place * self._batch_size
        rows = self._rows.take(np.arange(first, first + self._batch_size))
        return gather(self._tokens, rows, self._block_size, self._meta)

    def _look_up(self, window: int) -> Rows:
        num_rows = self._steps_together * self._batch_size
        number_R = np.arange(window * num_rows, (window + 1) * num_rows)
        cycle_R, place_R = np.divmod(number_R, len(self._cycle))
        part_R = self._cycle[place_R]
        start_R = np.empty(num_rows, dtype=np.int64)
        count_R = np.empty(num_rows, dtype=np.int64)
        opens_R = np.empty(num_rows, dtype=bool)
        for index, part in enumerate(self._parts):
            chosen = part_R == index
            is_part = self._cycle == index
            rank = np.cumsum(is_part) - 1
            drawn = cycle_R[chosen] * np.count_nonzero(is_part) + rank[place_R[chosen]]
            epoch, place = np.divmod(drawn, part.num_rows)
            rows = part.rows(place, keys(self._seed, index, epoch))
            start_R[chosen], count_R[chosen] = rows.start, rows.count
            opens_R[chosen] = rows.opens
        return Rows(start=start_R, count=count_R, opens=opens_R)


def _epoch_rows(
    part: Part, starts: IntArray, block_size: int, meta: Meta
) -> StreamRows | TableRows:
    if meta.mode == "contiguous":
        return stream_rows(part, block_size)
    table = document_rows(part, starts, block_size, mode=meta.mode, predict_end=meta.predict_end)
    return TableRows(table=table, num_rows=len(table.start))


def _mixture_cycle(weights: list[float]) -> IntArray:
    """Return which source each row of a cycle comes from: as often as its weight, evenly spread."""
    if len(weights) == 1:
        return np.zeros(1, dtype=np.int64)
    quotas = [max(1, round(weight * _MIXTURE_CYCLE)) for weight in weights]
    due = np.concatenate([(np.arange(quota) + 0.5) / quota for quota in quotas])
    return np.repeat(np.arange(len(weights)), quotas)[np.argsort(due, kind="stable")]


def gather(
    tokens: TokenArray, rows: Rows, block_size: int, meta: Meta
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets of `rows`.

    Returns:
        `x_BT` and `y_BT`, int64: padding is `<|endoftext|>` in `x_BT` and -100 in `y_BT`.
    """
    index_BT = rows.start[:, None] + np.arange(block_size + 1)
    has_padding = bool((rows.count < block_size).any())
    if has_padding:  # it may reach beyond the end of the array
        np.minimum(index_BT, len(tokens) - 1, out=index_BT)
    window_BT = tokens[index_BT].astype(np.int64)
    x_BT, y_BT = window_BT[:, :-1].copy(), window_BT[:, 1:].copy()
    if has_padding:
        is_padding_BT = np.arange(block_size) >= rows.count[:, None]
        x_BT[is_padding_BT] = meta.end_of_text_id
        y_BT[is_padding_BT] = IGNORED
    if meta.context_tokens:
        y_BT[rows.opens, : meta.context_tokens] = IGNORED
    return torch.from_numpy(x_BT), torch.from_numpy(y_BT)


def validation_batches(
    data: PreparedData, *, block_size: int, batch_size: int, max_tokens: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches of the same validation rows each time; no two rows share a target.

    Rows are taken evenly from all of the validation part, each source by its weight. A source too
    small for its share limits the others, so that the mean loss stays the mixture's.

    Args:
        data: prepared data, as `prepare` returned it.
        block_size: tokens in a row, T.
        batch_size: rows in a batch, B; the last batch may have fewer.
        max_tokens: about the most predictions in all; a source has at least one row.

    Yields:
        `x_BT` and `y_BT`, int64; `y_BT` holds -100 where there is no loss, so the loss of the set
        is the sum over targets that are not -100 divided by their number.
    """
    tables = [
        _validation_rows(part, data.validation_starts, block_size, data.meta)
        for part in data.meta.validation_parts
    ]
    weights = [part.weight for part in data.meta.validation_parts]
    num_rows = max_tokens // block_size
    for table, weight in zip(tables, weights, strict=True):
        num_rows = min(num_rows, int(len(table.start) / weight))
    chosen = []
    for table, weight in zip(tables, weights, strict=True):
        quota = min(max(1, round(num_rows * weight)), len(table.start))
        chosen.append(table.take(np.arange(quota) * len(table.start) // quota))
    rows = Rows(
        start=np.concatenate([part.start for part in chosen]),
        count=np.concatenate([part.count for part in chosen]),
        opens=np.concatenate([part.opens for part in chosen]),
    )
    total = len(rows.start)
    for first in range(0, total, batch_size):
        batch = rows.take(np.arange(first, min(first + batch_size, total)))
        yield gather(data.validation, batch, block_size, data.meta)


def _validation_rows(part: Part, starts: IntArray, block_size: int, meta: Meta) -> Rows:
    if meta.mode != "contiguous":
        return document_rows(part, starts, block_size, mode=meta.mode, predict_end=meta.predict_end)
    start_R = np.arange(part.first_token, part.end_token - 1, block_size)
    if len(start_R) > 1 and part.end_token - 1 - start_R[-1] < block_size:
        return full_rows(start_R[:-1], block_size)
    rows = full_rows(start_R, block_size)
    return Rows(
        start=start_R,
        count=np.minimum(rows.count, part.end_token - 1 - start_R),
        opens=rows.opens,
    )
