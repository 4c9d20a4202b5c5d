"""Choosing the next token, against probabilities worked out by hand."""

from collections import Counter
from typing import Any

import pytest
import torch

from picosweep.pico.probes.decoding import DECODER_TABLE, Decoding, choose_token

SHARES = torch.tensor([0.1, 0.4, 0.2, 0.3])


def shares_drawn(decoding: Decoding, text: tuple[int, ...] = (), draws: int = 4000) -> list[float]:
    random = torch.Generator().manual_seed(0)
    counts = Counter(choose_token(SHARES.log(), text, decoding, random) for _ in range(draws))
    return [counts[token] / draws for token in range(4)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.3]),
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_k": 9}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_p": 0.7}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_p": 0.71}, [0, 4 / 9, 2 / 9, 3 / 9]),
        ({"top_p": 0.01}, [0, 1, 0, 0]),
        ({"top_k": 3, "top_p": 0.5}, [0, 4 / 7, 0, 3 / 7]),
        ({"temperature": 0}, [0, 1, 0, 0]),
    ],
    ids=str,
)
def test_draws_follow_the_settings(settings: dict[str, Any], expected: list[float]) -> None:
    """The shares of 4,000 draws are those that the settings ask for."""
    assert shares_drawn(Decoding(**settings)) == pytest.approx(expected, abs=0.03)


def test_repetition_penalty_makes_seen_tokens_rarer() -> None:
    """Negative logits are multiplied, positive ones divided, unseen ones left alone."""
    decoding = Decoding(temperature=0, repetition_penalty=2.0)
    random = torch.Generator()
    positive = torch.tensor([3.0, 2.0, 1.0])
    assert choose_token(positive, [0], decoding, random) == 1
    assert choose_token(positive, [0, 1, 0], decoding, random) == 0
    negative = torch.tensor([-1.0, -1.5, -3.0])
    assert choose_token(negative, [0], decoding, random) == 1
    assert positive.tolist() == [3.0, 2.0, 1.0]


def test_greedy_draws_nothing() -> None:
    """Greedy decoding leaves the random stream alone."""
    random = torch.Generator().manual_seed(0)
    before = random.get_state()
    choose_token(SHARES.log(), (), Decoding(temperature=0), random)
    assert torch.equal(random.get_state(), before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0; allowed"),
        ({"top_k": 0}, "top_k is 0; allowed"),
        ({"top_p": 1.5}, "top_p is 1.5; allowed: above 0 and at most 1"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0; allowed"),
    ],
    ids=str,
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    """A bad setting is refused with its name, value and what is allowed."""
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)


def test_decoders_have_names() -> None:
    """A decoder says in words what it does; the table goes from greedy to 1.0."""
    assert [decoding.name for decoding in DECODER_TABLE] == [
        "greedy",
        "temperature 0.2",
        "temperature 0.5",
        "temperature 0.75",
        "temperature 0.95",
        "temperature 1",
    ]
    full = Decoding(temperature=0.8, top_k=40, top_p=0.9, repetition_penalty=1.1)
    assert full.name == "temperature 0.8, top-k 40, top-p 0.9, repetition penalty 1.1"
