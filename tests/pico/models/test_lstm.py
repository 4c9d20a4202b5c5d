"""The LSTM against the equations, one time step and one example at a time."""

import pytest
import torch
from torch import Tensor

from picosweep.pico.models.lstm import LSTM, LSTMConfig

VOCAB_SIZE = 13


def slow_logits(model: LSTM, ids: list[int]) -> Tensor:
    """Return logits `[T, V]` from the recurrence as the papers write it."""
    inputs = [model.embedding.weight[token] for token in ids]
    for layer in range(model.lstm.num_layers):
        w_input, w_hidden, b_input, b_hidden = (
            getattr(model.lstm, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(model.lstm.hidden_size)
        outputs = []
        for x in inputs:
            gates = w_input @ x + b_input + w_hidden @ hidden + b_hidden
            enter, forget, new, leave = gates.chunk(4)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
            outputs.append(hidden)
        inputs = outputs
    return torch.stack([model.head(model.projection(hidden)) for hidden in inputs])


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("tied_head", [False, True])
def test_matches_equations(num_layers: int, tied_head: bool) -> None:
    """Logits equal those of the recurrence written out."""
    config = LSTMConfig(num_layers=num_layers, hidden_size=7, embed_size=5, tied_head=tied_head)
    model = LSTM(config, VOCAB_SIZE, 8)
    ids_BT = torch.randint(VOCAB_SIZE, (2, 8))
    expected_BTV = torch.stack([slow_logits(model, ids) for ids in ids_BT.tolist()])
    torch.testing.assert_close(model(ids_BT), expected_BTV, rtol=1e-4, atol=1e-5)


def test_tied_head_saves_the_table() -> None:
    """A tied head shares the embedding's table; other sizes get a map in between."""
    free = LSTM(LSTMConfig(hidden_size=8, embed_size=8), VOCAB_SIZE, 8)
    tied = LSTM(LSTMConfig(hidden_size=8, embed_size=8, tied_head=True), VOCAB_SIZE, 8)
    mapped = LSTM(LSTMConfig(hidden_size=16, embed_size=8, tied_head=True), VOCAB_SIZE, 8)

    def count(model: LSTM) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    assert tied.head.weight is tied.embedding.weight
    assert count(free) - count(tied) == VOCAB_SIZE * 8
    assert mapped.projection.weight.shape == (8, 16)
