"""Positions against their formulas."""

import math

import pytest
import torch

from picosweep.pico.models.layers.positions import Rotary, sinusoidal_vectors, turn


def test_rotary_turns_pairs_by_the_angle_of_the_place() -> None:
    """Pair r at place t is turned by t · 10000^(-2r/K)."""
    rotary = Rotary(9, 3, 6)
    x_BTHK = torch.randn(2, 9, 3, 6)
    turned = rotary(x_BTHK)
    for place in range(9):
        for pair in range(3):
            angle = place * 10_000 ** (-2 * pair / 6)
            turn = complex(math.cos(angle), math.sin(angle))
            for x, got in zip(
                x_BTHK[:, place].flatten(0, 1), turned[:, place].flatten(0, 1), strict=True
            ):
                expected = complex(x[2 * pair], x[2 * pair + 1]) * turn
                assert got[2 * pair].item() == pytest.approx(expected.real, abs=1e-5)
                assert got[2 * pair + 1].item() == pytest.approx(expected.imag, abs=1e-5)


def test_rotary_products_depend_on_distance_only() -> None:
    """The product of a query and a key stays the same when both move by the same distance."""
    rotary = Rotary(20, 1, 8)
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def product(place_q: int, place_k: int) -> float:
        return (rotary(q, place_q) * rotary(k, place_k)).sum().item()

    assert product(3, 1) == pytest.approx(product(17, 15), abs=1e-5)
    assert product(3, 1) != pytest.approx(product(3, 2), abs=1e-3)


@pytest.mark.parametrize("size", [6, 7])
def test_sinusoidal_vectors_follow_the_paper(size: int) -> None:
    """Sines in the first half, cosines in the second, of place over 10000^(2i/size)."""
    vectors = sinusoidal_vectors(5, size)
    half = math.ceil(size / 2)
    for place in range(5):
        for index in range(size):
            function = math.sin if index < half else math.cos
            angle = place / 10_000 ** (2 * (index % half) / size)
            assert vectors[place, index].item() == pytest.approx(function(angle), abs=1e-6)


def test_compiled_rotation_is_the_eager_one() -> None:
    """What a compiler gets to see computes the same turn as the complex product."""
    rotary = Rotary(9, 3, 6)
    x_BTHK = torch.randn(2, 9, 3, 6)
    turned = turn(x_BTHK.unflatten(-1, (3, 2)), rotary.turns).flatten(-2)
    torch.testing.assert_close(turned, rotary(x_BTHK))
