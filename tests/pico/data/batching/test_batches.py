from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import assume, given, strategies as st

from picosweep.pico.data.batching.batches import TrainBatches, validation_batches
from picosweep.pico.errors import FieldError
from picosweep.pico.targets import IGNORED
from tests.pico.data.numbered import END_OF_TEXT_ID, numbered_data

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def rows_of_epochs(data, *, block_size, num_rows, seed=0):
    """The first rows of a run, one a batch."""
    batches = TrainBatches(data, block_size=block_size, batch_size=1, seed=seed)
    return [batches.batch(step) for step in range(num_rows)]


@given(lengths=lengths, block_size=st.integers(1, 9), batch_size=st.integers(1, 5))
@pytest.mark.parametrize("mode", ["contiguous", "packed", "padded"])
def test_shapes_types_and_targets(lengths, block_size, batch_size, mode):
    """Every batch is `[B, T]` of int64, and a target is the token after its input."""
    data = numbered_data(lengths, mode=mode)
    assume(data.meta.train_tokens > block_size)
    batches = TrainBatches(data, block_size=block_size, batch_size=batch_size, seed=1)
    for step in (0, 1, 7, 10_000):
        x, y = batches.batch(step)
        assert x.shape == y.shape == (batch_size, block_size)
        assert x.dtype == y.dtype == torch.int64
        assert x.is_contiguous()
        assert y.is_contiguous()
        scored = y != IGNORED
        assert scored.any(1).all()
        assert torch.equal(y[scored], x[scored] + 1)
        assert (x[~scored] == END_OF_TEXT_ID).all()


@given(lengths=lengths, steps=st.lists(st.integers(0, 5000), min_size=1, max_size=5))
@pytest.mark.parametrize("mode", ["contiguous", "padded"])
def test_a_batch_depends_on_seed_and_step_alone(lengths, steps, mode):
    """Steps asked for in any order, by any object, give the batches of an uninterrupted run."""
    data = numbered_data(lengths, [40, 3], mode=mode)
    kwargs = {"block_size": 2, "batch_size": 3, "seed": 5}
    jumping = TrainBatches(data, **kwargs)
    for step in steps:
        fresh = TrainBatches(data, **kwargs)
        for got, expected in zip(jumping.batch(step), fresh.batch(step), strict=True):
            assert torch.equal(got, expected)


@given(lengths=lengths, block_size=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_contiguous_epoch_reads_no_token_twice(lengths, block_size, seed):
    """The inputs of an epoch are all different, and nearly all tokens are among them."""
    data = numbered_data(lengths)
    assume(data.meta.train_tokens > block_size)
    num_rows = max(1, (data.meta.train_tokens - block_size) // block_size)
    rows = rows_of_epochs(data, block_size=block_size, num_rows=3 * num_rows, seed=seed)
    for epoch in range(3):
        of_epoch = rows[epoch * num_rows : (epoch + 1) * num_rows]
        seen = torch.cat([x.flatten() for x, _ in of_epoch]).tolist()
        assert len(set(seen)) == len(seen) == num_rows * block_size
        assert data.meta.train_tokens - len(seen) <= 2 * block_size


def test_epochs_cut_a_stream_at_other_places():
    """Over some epochs every token has been at the beginning of a row."""
    data = numbered_data([60])
    rows = rows_of_epochs(data, block_size=4, num_rows=14 * 60)
    firsts = {int(x[0, 0]) % 4 for x, _ in rows}
    assert firsts == {0, 1, 2, 3}


@given(lengths=lengths, block_size=st.integers(1, 9))
@pytest.mark.parametrize("mode", ["packed", "padded"])
def test_an_epoch_of_documents_scores_every_token_once(lengths, block_size, mode):
    """Packed or padded, each token but the first mark is a target exactly once an epoch."""
    data = numbered_data(lengths, mode=mode)
    targets = []
    for x, y in rows_of_epochs(data, block_size=block_size, num_rows=400):
        targets.append(y[y != IGNORED].tolist())
        if sum(map(len, targets)) >= data.meta.train_tokens - 1:
            break
        assert x.shape == (1, block_size)
    flat = [token for row in targets for token in row]
    assert sorted(flat) == list(range(1, data.meta.train_tokens))


@given(lengths=lengths)
def test_packing_cuts_no_document_that_fits(lengths):
    """A packed row begins at a document or goes on with one longer than a row."""
    block_size = 12
    data = numbered_data(lengths, mode="packed")
    starts = data.train_starts
    for x, y in rows_of_epochs(data, block_size=block_size, num_rows=3 * len(lengths)):
        first = int(x[0, 0])
        begins = first in starts[:-1]
        document = int(np.searchsorted(starts, first, side="right")) - 1
        is_long = starts[document + 1] - starts[document] > block_size
        assert begins or is_long
        last = int(y[y != IGNORED][-1])
        assert last in starts or is_long or last - first == block_size


def test_packing_fills_rows():
    """Neighbouring documents share a row while they fit, with their marks."""
    data = numbered_data([3, 3, 3, 9, 1], mode="packed")
    rows = rows_of_epochs(data, block_size=9, num_rows=4)
    scored = sorted(y[y != IGNORED].tolist() for _, y in rows)
    assert [(row[0], row[-1]) for row in scored] == [(1, 8), (9, 12), (13, 21), (22, 24)]


def test_padded_rows_hold_one_document():
    """A document, its two marks, and nothing after them that counts."""
    data = numbered_data([3, 2], mode="padded")
    rows = sorted(
        (x.tolist(), y.tolist()) for x, y in rows_of_epochs(data, block_size=5, num_rows=2)
    )
    pad = END_OF_TEXT_ID
    assert rows == [
        ([[0, 1, 2, 3, pad]], [[1, 2, 3, 4, IGNORED]]),
        ([[4, 5, 6, pad, pad]], [[5, 6, 7, IGNORED, IGNORED]]),
    ]


def test_given_tokens_and_ends_carry_no_loss():
    """What nothing could predict can be left out of the loss, at a document's beginning only."""
    data = numbered_data([6], mode="padded", context_tokens=2, predict_end=False)
    rows = sorted(y.tolist() for _, y in rows_of_epochs(data, block_size=4, num_rows=2))
    assert rows == [[[IGNORED, IGNORED, 3, 4]], [[5, 6, IGNORED, IGNORED]]]


@given(
    weights=st.lists(st.floats(0.05, 1), min_size=2, max_size=4),
    batch_size=st.integers(1, 40),
)
def test_a_mixture_draws_rows_by_weight(weights, batch_size):
    """A source's share of the rows is its weight, whatever its size, and evenly spread."""
    weights = [weight / sum(weights) for weight in weights]
    data = numbered_data(*([20 * 3**index] for index in range(len(weights))), weights=weights)
    ends = [part.end_token for part in data.meta.train_parts]
    batches = TrainBatches(data, block_size=4, batch_size=batch_size, seed=0)
    firsts = torch.cat([batches.batch(step)[0][:, 0] for step in range(2048 // batch_size)])
    parts = np.searchsorted(ends, firsts.numpy(), side="right")
    counts = np.cumsum(np.eye(len(weights))[parts], axis=0)
    expected = np.outer(np.arange(1, len(firsts) + 1), weights)
    assert np.abs(counts - expected).max() < 2 * len(weights)


def test_a_small_source_goes_through_its_epochs():
    """A source drawn more often than it has rows repeats none before it has given all."""
    data = numbered_data([8], [4000], weights=[0.5, 0.5])
    batches = TrainBatches(data, block_size=4, batch_size=64, seed=0)
    x = torch.cat([batches.batch(step)[0] for step in range(4)])
    small = [tuple(row.tolist()) for row in x if row[0] < 10]
    assert len(small) == 128
    assert len(set(small)) > 2


def test_a_source_shorter_than_a_row_is_refused():
    """The error names the source and the largest block it could fill."""
    with pytest.raises(FieldError, match=r"data\.block_size.*too short.*10.*at most 9"):
        TrainBatches(numbered_data([8]), block_size=10, batch_size=1, seed=0)


@given(lengths=lengths, block_size=st.integers(1, 9), batch_size=st.integers(1, 5))
@pytest.mark.parametrize("mode", ["contiguous", "packed", "padded"])
def test_validation_scores_no_token_twice(lengths, block_size, batch_size, mode):
    """The validation set is the same each time and its targets are all different."""
    data = numbered_data(lengths, mode=mode)
    kwargs = {"block_size": block_size, "batch_size": batch_size, "max_tokens": 10**6}
    batches = list(validation_batches(data, **kwargs))
    targets = torch.cat([y[y != IGNORED] for _, y in batches]).tolist()
    assert len(set(targets)) == len(targets)
    if mode != "contiguous":
        assert len(targets) == data.meta.validation_tokens - 1
    assert all(x.shape[1] == block_size and len(x) <= batch_size for x, _ in batches)
    again = list(validation_batches(data, **kwargs))
    assert all(
        torch.equal(a, b)
        for first, second in zip(batches, again, strict=True)
        for a, b in zip(first, second, strict=True)
    )


def test_validation_is_spread_over_the_whole_part():
    """Fewer rows than there are come from everywhere, not from the beginning."""
    data = numbered_data([9999])
    ((x, _),) = validation_batches(data, block_size=10, batch_size=100, max_tokens=100)
    assert x[:, 0].tolist() == list(range(0, 10000, 1000))


def test_validation_of_a_mixture_keeps_its_shares():
    """The small source's rows limit the large one's."""
    data = numbered_data([39], [9999], weights=[0.25, 0.75])
    batches = validation_batches(data, block_size=10, batch_size=7, max_tokens=10**6)
    firsts = torch.cat([x[:, 0] for x, _ in batches])
    assert (firsts < 41).sum() == 4
    assert (firsts >= 41).sum() == 12


def test_a_validation_part_shorter_than_a_row_is_padded():
    """What little there is counts, once."""
    data = numbered_data([3])
    ((x, y),) = validation_batches(data, block_size=10, batch_size=4, max_tokens=1000)
    assert x[0, :4].tolist() == [0, 1, 2, 3]
    assert y[0].tolist() == [1, 2, 3, 4] + [IGNORED] * 6


def test_batches_of_a_run_are_not_all_alike():
    """Two seeds give two orders."""
    data = numbered_data([500])
    first, second = (
        torch.cat(
            [x for x, _ in islice(rows_of_epochs(data, block_size=4, num_rows=20, seed=seed), 20)]
        )
        for seed in (0, 1)
    )
    assert not torch.equal(first, second)
