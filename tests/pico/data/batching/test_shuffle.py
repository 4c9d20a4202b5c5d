import numpy as np
from hypothesis import given, strategies as st

from picosweep.pico.data.batching.shuffle import keys, shuffled


@given(size=st.integers(1, 400), seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6))
def test_each_epoch_is_a_permutation(size, seed, epoch):
    """For one key, every place gets another element and none is left out."""
    epochs = np.full(size, epoch)
    elements = shuffled(np.arange(size), size, keys(seed, 0, epochs))
    assert sorted(elements.tolist()) == list(range(size))


def test_orders_differ_by_seed_stream_and_epoch():
    """Another seed, another source and another epoch each give another order."""
    places = np.arange(1000)
    orders = {
        tuple(shuffled(places, 1000, keys(seed, stream, np.full(1000, epoch))))
        for seed in (0, 1)
        for stream in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 8


def test_places_scatter_evenly():
    """Over many epochs each place sees each element about equally often."""
    size, num_epochs = 10, 20_000
    place = np.full(num_epochs, 3)
    elements = shuffled(place, size, keys(0, 0, np.arange(num_epochs)))
    counts = np.bincount(elements, minlength=size)
    # A fair draw has a standard deviation of 42 here.
    assert np.abs(counts - num_epochs / size).max() < 180


def test_neighbours_are_torn_apart():
    """Elements that follow each other in an epoch are unrelated."""
    size = 5000
    order = shuffled(np.arange(size), size, keys(0, 0, np.zeros(size, dtype=np.int64)))
    correlation = np.corrcoef(order[:-1], order[1:])[0, 1]
    assert abs(correlation) < 0.05
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.005
