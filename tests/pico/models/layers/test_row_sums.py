"""Added rows of a table against one-hot rows times the table."""

import pytest
import torch
from torch.nn import functional

from picosweep.pico.models.layers.row_sums import add_rows, scattered, summed

NUM_ROWS, SIZE = 7, 5


@pytest.mark.parametrize("num_added", [1, 3])
def test_sums_and_gradient_are_those_of_onehot_rows(num_added: int) -> None:
    """Value and gradient are those of the product, with rows met often, once and never."""
    table_RS = torch.randn(NUM_ROWS, SIZE, requires_grad=True)
    ids_NK = torch.randint(NUM_ROWS - 1, (20, num_added))
    ids_NK[::4, 0] = NUM_ROWS
    onehot_NR = functional.one_hot(ids_NK, NUM_ROWS + 1)[..., :NUM_ROWS].sum(1).float()
    expected_NS = onehot_NR @ table_RS
    got_NS = add_rows(table_RS, ids_NK)
    torch.testing.assert_close(got_NS, expected_NS)
    weights_NS = torch.randn(20, SIZE)
    (expected_RS,) = torch.autograd.grad((expected_NS * weights_NS).sum(), table_RS)
    (got_RS,) = torch.autograd.grad((got_NS * weights_NS).sum(), table_RS)
    torch.testing.assert_close(got_RS, expected_RS)
    assert not got_RS[NUM_ROWS - 1].any()


def test_gradient_of_an_expanded_sum() -> None:
    """A gradient that repeats one number over everything is added like any other."""
    table_RS = torch.randn(NUM_ROWS, SIZE, requires_grad=True)
    add_rows(table_RS, torch.tensor([[0, 1], [1, NUM_ROWS]])).sum().backward()
    assert table_RS.grad is not None
    assert table_RS.grad[:, 0].tolist() == [1, 2, 0, 0, 0, 0, 0]


def test_both_ways_to_the_gradient_agree() -> None:
    """What a GPU does gives what a CPU does."""
    grad_NS = torch.randn(20, SIZE)
    ids = torch.randint(NUM_ROWS + 1, (3, 20)).unbind()
    expected_RS = scattered(grad_NS, ids, NUM_ROWS)
    torch.testing.assert_close(summed(grad_NS, ids, NUM_ROWS), expected_RS)


def test_gradient_has_the_same_bits_for_any_number_of_threads() -> None:
    """Each row's gradient is added up in one order."""
    grad_NS, ids_N = torch.randn(5000, 64), torch.randint(50, (5000,))
    threads = torch.get_num_threads()
    try:
        results = []
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            results.append(scattered(grad_NS, [ids_N], 50))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)
